"""What a server asks of a person, made fit to be shown: a form of flat values, or an address; and what fits a form.

All text of it is the server's, which nobody vouches for. Of a schema only those keywords are kept that MCP has for
forms (2026-07-28, "Elicitation"), so that checking an answer against it is cheap, and fetches nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker

from headgate.core.errors import Invalid
from headgate.core.inputs import Question
from headgate.mcp.listing import visible

MESSAGE = 4000
"""Characters of a message that are shown."""
STATE = 256 << 10
"""Characters of a server's state that are kept for it."""
_FIELDS, _SIZE, _URL, _SHOWN, _TEXT = 100, 64 << 10, 2048, 20, 1000
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength"),
    "number": _NUMBERS,
    "integer": _NUMBERS,
    "boolean": (),
    "array": ("minItems", "maxItems"),
}
_FORMATS = FormatChecker(("email", "date"))


@_FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_FORMATS.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or (bool(urlsplit(value).scheme) and not any(each.isspace() for each in value))


class Unfit(ValueError):
    """A question that cannot be put to anybody."""


def form(server: str, tool: str, message: Any, schema: Any) -> Question:
    """The question for values; raises `Unfit`."""
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise Unfit("its schema is not that of an object")
    properties = schema.get("properties", {})
    if not isinstance(properties, dict) or len(properties) > _FIELDS:
        raise Unfit(f"its form has no properties, or more than {_FIELDS}")
    fields = {_plain(name, "the name of a field"): _field(name, each) for name, each in properties.items()}
    wanted = schema.get("required") or []
    required = [name for name in fields if isinstance(wanted, list) and name in wanted]
    read = {"type": "object", "properties": fields, "required": required, "additionalProperties": False}
    if len(json.dumps(read)) > _SIZE:
        raise Unfit(f"its form is larger than {_SIZE >> 10} KiB")
    return Question(server, tool, visible(message, MESSAGE), schema=read)


def address(server: str, tool: str, message: Any, url: str) -> Question:
    """The question to visit an address, which the gateway never does; raises `Unfit`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Unfit("its address cannot be read") from None
    if len(url) > _URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Unfit("its address is too long, or has characters that no address has")
    if parts.username is not None or parts.password is not None:
        raise Unfit("its address has a user name, which hides where it leads")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        raise Unfit("its address is not one of https")
    return Question(server, tool, visible(message, MESSAGE), url=url)


def fitting(question: Question, content: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The content of an accepted answer, with the defaults of what is left out; raises `Invalid` with the places where
    it does not fit. What was entered is in no message."""
    if question.schema is None:
        if content:
            raise Invalid("this question asks to visit an address: accept it without content", code="wrong_answer")
        return None
    fields: Mapping[str, Any] = question.schema["properties"]
    filled = {name: each["default"] for name, each in fields.items() if "default" in each} | dict(content or {})
    errors = sorted(
        Draft202012Validator(question.schema, format_checker=_FORMATS).iter_errors(filled),
        key=lambda each: list(map(str, each.absolute_path)),
    )
    if errors:
        places = [{"detail": _said(each, fields), "pointer": _pointer(each.absolute_path)} for each in errors[:_SHOWN]]
        said = "; ".join(each["detail"] for each in places)
        raise Invalid(f"the content does not fit the form: {said}", code="invalid_content", details={"errors": places})
    return {name: filled[name] for name in fields if name in filled}


def _said(error: Any, fields: Mapping[str, Any]) -> str:
    """What is wrong, without the value: it may be a secret, and messages are logged."""
    wanted = error.validator_value
    where = str(error.absolute_path[0]) if error.absolute_path else ""
    match error.validator:
        case "required":
            missing = next((name for name in wanted if name not in error.instance), "")
            return f"{missing} is missing"
        case "additionalProperties":
            return f"the form has no such field; it has {', '.join(fields) or 'none'}"
        case "type":
            return f"{where} must be of the type {wanted}"
        case "format":
            return f"{where} must be a {wanted}"
        case "enum" | "const" | "anyOf" | "oneOf":
            return f"{where} must be one of the choices: {', '.join(map(str, choices(fields.get(where, {}))))}"
        case keyword:
            return f"{where} does not keep {keyword} {wanted}"


def choices(field: Mapping[str, Any]) -> dict[str, str]:
    """What may be chosen, with the label of each; nothing where the value is free."""
    inner = field.get("items", field)
    for options in (inner.get("oneOf"), inner.get("anyOf")):
        if options:
            return {each["const"]: each.get("title", each["const"]) for each in options}
    names = inner.get("enumNames", [])
    return {value: names[i] if i < len(names) else value for i, value in enumerate(inner.get("enum", ()))}


def _pointer(path: Any) -> str:
    return "#/content" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _field(name: Any, raw: Any) -> dict[str, Any]:
    raw = _some(raw)
    kind = raw.get("type", "string" if "enum" in raw or "oneOf" in raw else None)
    if kind not in _KEYWORDS:
        raise Unfit(f"its field {visible(name, 100)!r} is of no type that forms have")
    read: dict[str, Any] = {"type": kind}
    read |= {key: text for key in ("title", "description") if (text := visible(raw.get(key), _TEXT))}
    read |= {key: raw[key] for key in _KEYWORDS[kind] if _is_number(raw.get(key))}
    if raw.get("format") in _FORMATS.checkers and kind == "string":
        read["format"] = raw["format"]
    if kind == "string":
        read |= _options(raw, "oneOf")
    if kind == "array":
        items = raw.get("items")
        read["items"] = _options(items if isinstance(items, dict) else {}, "anyOf")
        if not read["items"]:
            raise Unfit(f"its field {visible(name, 100)!r} is a list of something else than choices")
    if "default" in raw and Draft202012Validator(read).is_valid(raw["default"]):
        read["default"] = raw["default"]
    return read


def _some(raw: Any) -> Mapping[str, Any]:
    """The field, without the alternative that it is null, which is the same as leaving it out."""
    if not isinstance(raw, dict):
        raise Unfit("one of its fields is not a schema")
    kinds = raw.get("type")
    if isinstance(kinds, list):
        some = [each for each in kinds if each != "null"]
        return {**raw, "type": some[0]} if len(some) == 1 else {}
    inner = [each for each in raw.get("anyOf") or () if isinstance(each, dict) and each.get("type") != "null"]
    return {**inner[0], **{key: each for key, each in raw.items() if key != "anyOf"}} if len(inner) == 1 else raw


def _options(raw: Mapping[str, Any], keyword: str) -> dict[str, Any]:
    titled, plain = raw.get(keyword), raw.get("enum")
    if isinstance(titled, list) and titled:
        return {keyword: [_option(each) for each in titled]}
    if not isinstance(plain, list) or not plain:
        return {}
    names = raw.get("enumNames")
    labels = {"enumNames": [visible(each, 200) for each in names]} if isinstance(names, list) else {}
    return {"type": "string", "enum": [_plain(each, "a choice") for each in plain], **labels}


def _option(raw: Any) -> dict[str, str]:
    value = _plain(raw.get("const") if isinstance(raw, dict) else None, "a choice")
    return {"const": value, "title": visible(raw.get("title"), 200) or value}


def _plain(value: Any, what: str) -> str:
    """A text that goes back to the server as it is, so nothing may be taken out of it."""
    if not isinstance(value, str) or not value or visible(value, 200) != value:
        raise Unfit(f"{what} in its form is empty, too long, or has hidden characters")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
