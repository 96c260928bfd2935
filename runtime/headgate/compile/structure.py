"""JSON Schema over a raw document: every violation becomes a finding that names the key to blame."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from headgate.compile.decode import named
from headgate.compile.planned import Planned
from headgate.compile.schema import REFERENCE_LINK, Schema
from headgate.compile.words import form
from headgate.core.kind import Finding, Key
from headgate.core.scalars import DURATION, PATIENCE, SIZE, SOMETHING
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


@dataclass(frozen=True, slots=True)
class Structure:
    """What is wrong with the structure of a body; `silent` are the keys that need not be blamed again."""

    findings: tuple[Finding, ...]
    silent: frozenset[Key]


def check_structure(validator: Any, body: Any, planned: Planned) -> Structure:
    """Every violation in `body`, as findings; `planned` are keys that are known but not in this build."""
    errors = _apart([each for error in validator.iter_errors(body) for each in _flatten(error)])
    meant: set[Key] = set()
    found = [each for error in errors for each in _findings(error, planned, meant)]
    # A misspelt key is one mistake: the key that was meant is not missing too.
    shown = tuple(each for each in found if each.code != "HG1005" or each.key not in meant)
    return Structure(shown, frozenset(each.key for each in found if each.severity == "error"))


def _apart(errors: list[Any]) -> list[Any]:
    """The errors, but for a value of the wrong type only that, not also that it is none of the values allowed."""
    typed = {tuple(each.absolute_path) for each in errors if each.validator == "type"}
    return [each for each in errors if not (each.validator in ("enum", "const") and tuple(each.absolute_path) in typed)]


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


def _findings(error: Any, planned: Planned, meant: set[Key]) -> Iterator[Finding]:
    key = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        yield from _unknown_keys(error, key, planned, meant)
    elif error.validator == "required":
        yield from _missing_keys(error, key)
    elif error.validator == "x-secret":
        yield Finding(
            key,
            "HG1105",
            f"{named(key)} is written out",
            "refer to it: ${env:NAME} or ${file:PATH}",
            severity="warning",
        )
    elif error.instance is None:
        hint = "give it one or remove it" if key else "remove it or write the manifest"
        yield Finding(key, "HG1011", f"{named(key)} {'has no value' if key else 'is empty'}", hint)
    elif error.validator in ("enum", "const") and (feature := planned.value(key, error.instance)):
        choices = error.validator_value if error.validator == "enum" else [error.validator_value]
        hint = f"use {'one of ' if len(choices) > 1 else ''}{', '.join(map(str, choices))}"
        yield not_built(key, f"{key[-1]} {error.instance!r}", feature, hint)
    else:
        yield _wrong(error, key, planned)


def _unknown_keys(error: Any, key: Key, planned: Planned, meant: set[Key]) -> Iterator[Finding]:
    known = list(error.schema.get("properties", {}))
    for extra in error.instance:
        if extra in known or str(extra).startswith("x-"):
            continue
        feature = planned.key((*key, extra))
        if feature:
            yield not_built((*key, extra), f"key {extra!r}", feature)
            continue
        guess = suggest(str(extra), [*known, *_below(planned, key)])
        meant.add((*key, guess or ""))
        hint = _meant(guess, planned.key((*key, guess))) if guess else f"known keys: {', '.join(sorted(known))}"
        yield Finding((*key, extra), "HG1003", f"unknown key {extra!r}", hint)


def _below(planned: Planned, key: Key) -> list[str]:
    """The keys that this build lacks in the table at `key`."""
    return sorted({name for *_, name in planned.keys if planned.key((*key, name)) is not None} - {"*"})


def _meant(guess: str, lacking: str | None) -> str:
    said = f"did you mean {guess!r}?"
    return f"{said} it needs {lacking}, which this build does not have" if lacking else said


def not_built(key: Key, what: str, feature: str, hint: str = "remove it") -> Finding:
    """The finding for a thing that manifests will have and this build lacks."""
    return Finding(key, "HG1007", f"{what} needs {feature}, which this build does not have", hint)


def _missing_keys(error: Any, key: Key) -> Iterator[Finding]:
    for name in error.validator_value:
        if name not in error.instance and error.message.startswith(repr(name)):
            yield Finding((*key, name), "HG1005", f"missing key {name!r}{_within(key)}")


def _within(key: Key) -> str:
    names = [str(each) for each in key if isinstance(each, str)]
    return f" in {'.'.join(names)}" if names else ""


def _wrong(error: Any, key: Key, planned: Planned) -> Finding:
    message, hint = _explain(error, key, planned)
    if error.validator == "pattern" and error.schema_path and "propertyNames" in error.schema_path:
        name = str(error.instance)
        return Finding((*key, name), "HG1004", f"{name!r} is not a valid name", _form(error.schema))
    return Finding(key, "HG1004", message, hint)


def _explain(error: Any, key: Key, planned: Planned) -> tuple[str, str]:
    name, value = named(key), error.instance
    match error.validator:
        case "type":
            return f"{name} must be {_types(error.validator_value)}, not {_shown(value)}", _typed(error)
        case "enum":
            choices = [str(each) for each in error.validator_value]
            message = f"{name} must be one of {', '.join(choices)}; {_shown(value)} is not"
            return message, _guessed(value, choices, key, planned)
        case "const":
            wanted = error.validator_value
            return f"{name} must be {wanted!r}, not {_shown(value)}", _guessed(value, [str(wanted)], key, planned)
        case "pattern" if error.validator_value == PATIENCE and re.fullmatch(DURATION, str(value)):
            return f"{name} must be more than 0", ""
        case "pattern" if error.validator_value == SOMETHING and re.fullmatch(SIZE, str(value)):
            return f"{name} must be more than 0", ""
        case "pattern":
            return f"{name}: {_shown(value)} is not valid", _form(error.schema)
        case "anyOf" | "oneOf":
            message = f"{name} must be {_choices(error)}, not {_shown(value)}"
            return message, _guessed(value, _texts(error), key, planned)
        case "minLength" | "minItems" | "minProperties":
            return f"{name} must not be shorter than {error.validator_value}", ""
        case _:
            return f"{name}: {error.message}", ""


def _guessed(value: Any, choices: list[str], key: Key, planned: Planned) -> str:
    """Which of the choices, or of the values that this build lacks, was most likely meant."""
    lacking = sorted(each for name, each in planned.values if key and name == str(key[-1]))
    guess = suggest(value, [*choices, *lacking]) if isinstance(value, str) else None
    return _meant(guess, planned.value(key, guess)) if guess else ""


def _texts(error: Any) -> list[str]:
    """The texts that the branches of a union allow."""
    allowed = (each for branch in error.validator_value for each in (*branch.get("enum", ()), branch.get("const")))
    return [each for each in allowed if isinstance(each, str)]


def _form(schema: Schema) -> str:
    """How a text of this schema is written."""
    return form(str(schema.get("pattern", "")), tuple(schema.get("examples") or ()))


def _typed(error: Any) -> str:
    """How to write what was meant, where that is plain."""
    value, wanted = error.instance, error.validator_value
    if wanted == "string":
        return _form(error.schema) or (f'write "{value}"' if isinstance(value, int | float) else "")
    if wanted == "array" and isinstance(value, str):
        return f"write [{json.dumps(value, ensure_ascii=False)}]"
    if isinstance(value, str) and wanted == "integer" and re.fullmatch(r"-?\d{1,18}", value):
        return "leave the quotation marks out"
    if isinstance(value, str) and wanted == "boolean" and value in ("true", "false"):
        return "leave the quotation marks out"
    return ""


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
