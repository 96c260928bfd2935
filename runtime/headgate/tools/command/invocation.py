"""One run of a program, before it starts: what is fixed when the tool is opened, and what the arguments fill in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from headgate.core.errors import ConfigError, ToolError
from headgate.core.kind import Env
from headgate.expressions.body import Templated
from headgate.expressions.template import MISSING, Template, as_text, lookup
from headgate.tools.command.spec import CommandSpec

_PASSED = frozenset({"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR"})
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the operating system is asked for; `stdin` is None when there is nothing to read."""

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(repr=False)
    stdin: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A manifest whose program and directory were found; `passed` is what the child has of the gateway's variables."""

    spec: CommandSpec
    program: str
    cwd: str
    passed: Mapping[str, str] = field(repr=False)

    def fill(self, args: Mapping[str, Any]) -> Invocation:
        """The run for `args`; raises `ToolError("invalid_arguments")` for values that no program can be given."""
        scope = {"args": args}
        argv = [_sound(text, f"argv[{index}]") for index, text in _items(self.spec, scope)]
        env = {name: _sound(text, name) for name, text in _variables(self.spec, scope)}
        return Invocation((self.program, *argv), self.cwd, {**self.passed, **env}, _stdin(self.spec.stdin, scope))


def prepare(spec: CommandSpec, env: Env) -> Recipe:
    """Looks the program and the directory up; raises `ConfigError` when they cannot be used."""
    passed = {name: value for name, value in env.environ.items() if _is_passed(name) or name in spec.inherit}
    own = spec.env.get("PATH")
    path = passed.get("PATH", os.defpath) if own is None else as_text(own.node)
    return Recipe(spec, _find_program(as_text(spec.argv[0].node), path), _find_directory(spec.cwd), passed)


def _is_passed(name: str) -> bool:
    return name in _PASSED or name.startswith("LC_")


def _find_program(name: str, path: str) -> str:
    found = shutil.which(name, path=path)
    if found is not None:
        return str(Path(found).absolute())
    if "/" not in name:
        message = f"there is no program {name!r} on PATH"
        raise ConfigError(message, key=("argv", 0), hint=f"install it, or write its path; looked in {path}")
    reason = "cannot be executed" if Path(name).exists() else "does not exist"
    raise ConfigError(f"the program {name!r} {reason}", key=("argv", 0), hint=f"looked in {Path.cwd()}")


def _find_directory(cwd: str | None) -> str:
    home = Path.cwd().resolve()
    path = (home / (cwd or "")).resolve()
    if not path.is_dir():
        raise ConfigError(f"'cwd' is no directory: {cwd}", key=("cwd",), hint=f"the gateway runs in {home}")
    if cwd is not None and not Path(cwd).is_absolute() and not path.is_relative_to(home):
        message = f"'cwd' leads out of the directory that the gateway runs in: {cwd}"
        raise ConfigError(message, key=("cwd",), hint="write it as an absolute path if that is meant")
    return str(path)


def _items(spec: CommandSpec, scope: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for index, item in enumerate(spec.argv[1:], 1):
        value = _render(item, scope)
        if value is not None:
            yield index, as_text(value)


def _variables(spec: CommandSpec, scope: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, template in spec.env.items():
        value = _render(template, scope)
        if value is not None:
            yield name, as_text(value)


def _render(item: Templated, scope: Mapping[str, Any]) -> Any:
    """The value, or None when an argument in it is absent or null: such an item is left out as a whole."""
    slots = item.node.slots if isinstance(item.node, Template) else ()
    return None if any(lookup(scope, slot.steps) in (MISSING, None) for slot in slots) else item.render(scope)


def _stdin(body: Templated | None, scope: Mapping[str, Any]) -> bytes | None:
    value = MISSING if body is None else body.render(scope)
    if value is MISSING:
        return None
    return value.encode("utf-8", "replace") if isinstance(value, str) else _encode(value)


def _sound(text: str, place: str) -> str:
    if "\0" in text:
        raise ToolError("invalid_arguments", f"{place} would have a NUL character in it")
    return text.encode("utf-8", "replace").decode()
