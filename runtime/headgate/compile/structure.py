"""JSON Schema over a raw document: every violation becomes a finding that names the key to blame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from headgate.compile.planned import Planned
from headgate.compile.schema import REFERENCE_LINK, Schema
from headgate.core.kind import Finding, Key
from headgate.manifest.diagnostics import suggest

_TYPES = {
    "object": "a table", "array": "a list", "string": "a string", "integer": "a whole number",
    "number": "a number", "boolean": "true or false", "null": "nothing",
}  # fmt: skip


def _secret(_validator: Any, wanted: Any, instance: Any, _schema: Schema) -> Iterator[ValidationError]:
    if wanted and isinstance(instance, str) and "${" not in instance:
        yield ValidationError("literal secret")


Validator: Any = validators.extend(Draft202012Validator, {"x-secret": _secret})  # type: ignore[no-untyped-call]
"""Draft 2020-12 plus `x-secret`, which finds secrets that are written out."""


def violations(validator: Any, body: Any, planned: Planned) -> Iterator[Finding]:
    """Every violation in `body`, as findings; `planned` are keys that are known but not in this build."""
    for error in validator.iter_errors(body):
        for each in _flatten(error):
            yield from _findings(each, planned)


def _flatten(error: Any) -> Iterator[Any]:
    """The errors of the branch of a union that the author most likely meant."""
    if error.validator not in ("anyOf", "oneOf"):
        yield error
        return
    groups: dict[Any, list[Any]] = {}
    for each in error.context or ():
        groups.setdefault(each.schema_path[0], []).append(each)
    meant = [group for index, group in groups.items() if error.validator_value[index] != REFERENCE_LINK]
    inner = [group for group in meant if not any(_shallow(each, error) for each in group)]
    chosen = inner or meant
    if len(chosen) == 1:
        for each in chosen[0]:
            yield from _flatten(each)
    else:
        yield error


def _shallow(error: Any, parent: Any) -> bool:
    return len(error.absolute_path) == len(parent.absolute_path) and error.validator in ("type", "enum", "const")


def _findings(error: Any, planned: Planned) -> Iterator[Finding]:
    key = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        yield from _unknown_keys(error, key, planned)
    elif error.validator == "required":
        yield from _missing_keys(error, key)
    elif error.validator == "x-secret":
        yield Finding(
            key,
            "HG1105",
            f"{_name(key)} is written out",
            "refer to it: ${env:NAME} or ${file:PATH}",
            severity="warning",
        )
    elif error.instance is None:
        yield Finding(key, "HG1011", f"{_name(key)} has no value", "give it one or remove the key")
    elif error.validator == "enum" and (feature := planned.kind(key, error.instance)):
        yield not_built(key, f"kind {error.instance!r}", feature)
    else:
        yield _wrong(error, key)


def _unknown_keys(error: Any, key: Key, planned: Planned) -> Iterator[Finding]:
    known = list(error.schema.get("properties", {}))
    for extra in error.instance:
        if extra in known or str(extra).startswith("x-"):
            continue
        feature = planned.key((*key, extra))
        if feature:
            yield not_built((*key, extra), f"key {extra!r}", feature)
            continue
        guess = suggest(str(extra), known)
        hint = f"did you mean {guess!r}?" if guess else f"known keys: {', '.join(sorted(known))}"
        yield Finding((*key, extra), "HG1003", f"unknown key {extra!r}", hint)


def not_built(key: Key, what: str, feature: str) -> Finding:
    """The finding for a thing that MANIFESTS names and this build lacks."""
    return Finding(key, "HG1007", f"{what} needs {feature}, which this build does not have", "remove it")


def _missing_keys(error: Any, key: Key) -> Iterator[Finding]:
    for name in error.validator_value:
        if name not in error.instance and error.message.startswith(repr(name)):
            yield Finding(key, "HG1005", f"missing key {name!r}{f' in {key[-1]!r}' if key else ''}")


def _wrong(error: Any, key: Key) -> Finding:
    message, hint = _explain(error, key)
    if error.validator == "pattern" and error.schema_path and "propertyNames" in error.schema_path:
        name = str(error.instance)
        return Finding((*key, name), "HG1004", f"{name!r} is not a valid name", _NAME_HINT)
    return Finding(key, "HG1004", message, hint)


_NAME_HINT = "use lower-case letters, digits, '-' and single '_', beginning with a letter or digit, at most 64"


def _explain(error: Any, key: Key) -> tuple[str, str]:
    name, value = _name(key), error.instance
    match error.validator:
        case "type":
            return f"{name} must be {_types(error.validator_value)}, not {_shown(value)}", ""
        case "enum":
            choices = [str(each) for each in error.validator_value]
            guess = suggest(str(value), choices)
            return (
                f"{name} must be one of {', '.join(choices)}; {_shown(value)} is not",
                f"did you mean {guess!r}?" if guess else "",
            )
        case "const":
            return f"{name} must be {error.validator_value!r}, not {_shown(value)}", ""
        case "pattern":
            examples = error.schema.get("examples") or ()
            return (
                f"{name}: {_shown(value)} is not valid",
                f"write it like {', '.join(map(str, examples))}"
                if examples
                else f"it must match {error.validator_value}",
            )
        case "anyOf" | "oneOf":
            return f"{name} must be {_choices(error)}, not {_shown(value)}", ""
        case "minLength" | "minItems" | "minProperties":
            return f"{name} must not be shorter than {error.validator_value}", ""
        case _:
            return f"{name}: {error.message}", ""


def _choices(error: Any) -> str:
    words = []
    for branch in error.validator_value:
        if branch == REFERENCE_LINK:
            continue
        if "enum" in branch:
            words.append("one of " + ", ".join(map(str, branch["enum"])))
        elif "const" in branch:
            words.append(repr(branch["const"]))
        else:
            words.append(_types(branch.get("type", "object")))
    return " or ".join(dict.fromkeys(words))


def _types(wanted: Any) -> str:
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    return " or ".join(_TYPES.get(each, str(each)) for each in names)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _name(key: Key) -> str:
    return repr(str(key[-1])) if key and not isinstance(key[-1], int) else "the list item" if key else "the document"
