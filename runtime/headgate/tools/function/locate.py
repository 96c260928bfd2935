"""Finds the function that a manifest names, inside the packages that are allowed and nowhere else.

A module is imported once in the life of the process. A changed file of a user's package is not imported again when
the tree is reloaded: code is deployed with a restart, manifests without one.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from headgate.core.errors import ConfigError
from headgate.core.kind import Key

CALL = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
"""How a function is named: `package.module:function`."""


class LocateError(ConfigError):
    """There is no such function, or it may not be called; `offset` is the place in the value of the key."""

    def __init__(self, message: str, *, key: Key = ("call",), hint: str = "", offset: int | None = None) -> None:
        super().__init__(message, key=key, hint=hint)
        self.offset = offset


def locate(call: str, packages: Sequence[str]) -> Callable[..., Any]:
    """The function that `call` (`package.module:function`) names; imports its module and raises `LocateError`."""
    if not re.fullmatch(CALL, call):
        raise LocateError(f"{call!r} does not name a function", hint="write package.module:function")
    path, _, name = call.partition(":")
    _admit(path, packages, "it is not in")
    module = _load(path)
    function = getattr(module, name, None)
    if function is None:
        raise LocateError(
            f"{path} has no function {name!r}",
            hint=_suggest(name, module),
            offset=len(path) + 1,
        )
    _inspect(function, name, len(path) + 1)
    # A module of an allowed package may import anything, and what it imports is an attribute of it too.
    _admit(_home(function), packages, "it is defined outside")
    return function  # type: ignore[no-any-return]


def _admit(module: str, packages: Sequence[str], how: str) -> None:
    if any(module == package or module.startswith(package + ".") for package in packages):
        return
    top = module.partition(".")[0]
    raise LocateError(f"{module} may not be called: {how} [functions] packages", hint=f"add {top!r} to it")


def _load(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(missing + "."):
            raise LocateError(
                f"there is no module {missing!r}", hint="install the package beside the gateway"
            ) from error
        raise LocateError(f"{name} cannot be imported: it needs {missing!r}, which is not installed") from error
    # The module is the user's code and may fail in any way at all; none may stop the other findings.
    except Exception as error:
        raise LocateError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


def _inspect(function: Any, name: str, offset: int) -> None:
    if not callable(function) or inspect.isclass(function):
        raise LocateError(f"{name!r} is not a function", offset=offset)
    plain = inspect.unwrap(function)
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise LocateError(f"{name!r} is a generator; a tool returns its result", offset=offset)


def _home(function: Any) -> str:
    """The module that the function, or the class of the object that is called, was written in."""
    plain = inspect.unwrap(function)
    return str(getattr(plain, "__module__", None) or type(plain).__module__)


def _suggest(name: str, module: ModuleType) -> str:
    known = sorted(
        each for each, value in vars(module).items() if inspect.isroutine(value) and not each.startswith("_")
    )
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(known)}" if known else "it has none"
