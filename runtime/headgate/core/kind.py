"""What a family member is: a spec type plus how to check and open it.

A family (providers, tools, ...) is a mapping from kind name to `Kind`; one leaf module holds the spec, the class and
its `KIND`, and one line of the family's `__init__` registers it. Schema, reference page and conformance test follow
from the registration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import httpx2
from pydantic import BaseModel, ConfigDict, model_validator

from headgate.core.errors import ConfigError
from headgate.core.ports import Interceptor, Model, Provider, SecretBackend, Tool, ToolServer
from headgate.core.vault import Vault

Key = tuple[str | int, ...]
Severity = Literal["error", "warning"]


class Spec(BaseModel):
    """A typed, frozen piece of a manifest; unknown keys are errors (`x-*` keys never reach it)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, regex_engine="python-re", defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_annotations(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if not str(key).startswith("x-")}
        return data


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong inside one manifest object; the compiler turns it into a diagnostic with a position.

    `key` is the path inside the document, `offset` the number of characters into that scalar's value, `code` one of
    the stable HG codes. `file` is the path of a file that the object names, when the finding is in there; `key` is then
    a path in that file.
    """

    key: Key
    code: str
    message: str
    hint: str = ""
    offset: int | None = None
    severity: Severity = "error"
    file: str = ""


def _no_model(reference: str) -> Model:
    raise ConfigError(f"there is no model {reference!r}")


def _no_server(name: str) -> ToolServer:
    raise ConfigError(f"there is no MCP server {name!r}")


def _no_client(**_settings: Any) -> httpx2.AsyncClient:
    raise ConfigError("nothing may leave from here")


def _unheard() -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Env:
    """What a kind may use to open an object.

    `read` gives the bytes of a file of the tree by its path from the root. `http` is the shared client behind the
    egress guard. `packages` are those that function tools may come from. `environ` is the process environment.
    `scrub` removes every resolved secret from a text. `model` gives the model that one of `Kind.models` refers to, and
    `server` an open MCP server by its name; both raise `ConfigError` when there is none. `client` makes an HTTP client
    of the object's own behind the same guard (see `net.client.make_client`). `root` is the folder of the tree.
    `changed` is called when the tools that the object offers are others now. `vault` is where it keeps what people
    grant; there is none where nothing is kept.
    """

    name: str
    http: httpx2.AsyncClient
    read: Callable[[str], bytes]
    packages: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    scrub: Callable[[str], str] = field(default=str, repr=False)
    model: Callable[[str], Model] = field(default=_no_model, repr=False)
    server: Callable[[str], ToolServer] = field(default=_no_server, repr=False)
    client: Callable[..., httpx2.AsyncClient] = field(default=_no_client, repr=False)
    root: Path = Path()
    changed: Callable[[], None] = field(default=_unheard, repr=False)
    vault: Vault | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a kind's `check` may know beyond the spec: the object's name and the packages functions may come from.

    `bodies` are the parsed bodies, by path, of those YAML files that `files(spec)` names and that could be read.
    """

    name: str
    packages: tuple[str, ...] = ()
    bodies: Mapping[str, Any] = field(default_factory=dict)


S = TypeVar("S", bound=Spec)
B_co = TypeVar("B_co", covariant=True)


def _nothing_to_check(_spec: Any, _scope: Scope) -> Iterable[Finding]:
    return ()


def _no_files(_spec: Any) -> tuple[str, ...]:
    return ()


def _nothing_told(_spec: Any, _scope: Scope) -> None:
    return None


def _no_models(_spec: Any) -> Mapping[Key, str]:
    return {}


def _nowhere(_spec: Any) -> str | None:
    return None


def _not_pure(_spec: Any) -> bool:
    return False


def pure(_spec: Any) -> bool:
    """For `Kind.pure`: every object of the kind is."""
    return True


@dataclass(frozen=True, slots=True)
class Kind(Generic[S, B_co]):
    """One kind of a family.

    `open(spec, env)` is an async context manager: entering makes the object ready to use, leaving releases all that
    it holds. `check(spec, scope)` finds what the spec's own types cannot (it does no I/O but may import). `files(spec)`
    names the files of the tree that the object reads when it is opened. `models(spec)` are the models that it asks by
    itself, as agents name them, by the key of the spec where each stands; they must exist. `arguments(spec, scope)` is
    the JSON Schema of a tool's arguments that its manifest leaves unsaid, None while nobody can tell. `server(spec)` is
    the MCP server that the object is opened on, and anew when that is. `pure(spec)` says of an interceptor that all it
    does follows from the run that it stands around, and that it reaches nothing else: such ones stand in inline tests
    too. `choose(spec, environ)` makes the kind an alias:
    it answers the raw spec, `kind` included, of the kind that stands in for it.
    """

    name: str
    summary: str
    spec: type[S]
    open: Callable[[S, Env], AbstractAsyncContextManager[B_co]]
    check: Callable[[S, Scope], Iterable[Finding]] = _nothing_to_check
    files: Callable[[S], tuple[str, ...]] = _no_files
    models: Callable[[S], Mapping[Key, str]] = _no_models
    arguments: Callable[[S, Scope], Mapping[str, Any] | None] = _nothing_told
    server: Callable[[S], str | None] = _nowhere
    pure: Callable[[S], bool] = _not_pure
    choose: Callable[[S, Mapping[str, str]], dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Kinds:
    """Every family that this build has. Tests pass a smaller one."""

    providers: Mapping[str, Kind[Any, Provider]]
    tools: Mapping[str, Kind[Any, Tool]]
    secrets: Mapping[str, Kind[Any, SecretBackend]] = field(default_factory=dict)
    interceptors: Mapping[str, Kind[Any, Interceptor]] = field(default_factory=dict)
    server: Kind[Any, ToolServer] | None = None
