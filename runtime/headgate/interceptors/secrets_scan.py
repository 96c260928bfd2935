"""Interceptors of kind `secrets_scan`: no credential leaves in arguments, and none reaches the model in results."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Literal, get_args

from pydantic import Field

from headgate.core.context import ToolContext
from headgate.core.errors import PolicyRefused
from headgate.core.kind import Env, Kind, pure
from headgate.core.messages import ToolCall, ToolResult
from headgate.core.ports import ToolNext
from headgate.expressions.pattern import PatternText
from headgate.interceptors.common import InterceptorSpec, Passing, unheard
from headgate.interceptors.detect import Detector, find
from headgate.interceptors.texts import mapped, mapped_result


class SecretsScanSpec(InterceptorSpec):
    """Looks for credentials in the arguments of calls and in their results."""

    kind: Literal["secrets_scan"]
    arguments: Literal["refuse", "ignore"] = "refuse"
    """What becomes of a call whose arguments hold a credential."""
    results: Literal["replace", "refuse", "ignore"] = "replace"
    """What becomes of a result that holds one: `replace` puts `[secret:KIND]` in its place."""
    detect: Annotated[tuple[Detector, ...], Field(min_length=1)] = get_args(Detector)
    """What is looked for. `assignment` is any random value that is called a password, a key or a token."""
    allow: tuple[PatternText, ...] = ()
    """Patterns (RE2) of credentials that do not count, such as those of examples."""
    max_chars: Annotated[int, Field(ge=1, le=10_000_000)] = 1_000_000
    """How much of arguments, and of a result, is looked through; what has more characters is refused."""


class SecretsScan(Passing):
    """Looks through everything that goes into a tool and comes out of it."""

    def __init__(self, spec: SecretsScanSpec) -> None:
        self._spec = spec

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """The call, unless a credential would leave with it; the result without those that it holds."""
        if self._spec.arguments == "refuse" and not ctx.resumed:
            search = _Search(self._spec)
            mapped(call.args or {}, search)
            if search.kinds:
                said = f"the arguments of {call.name} hold what looks like a credential ({search.said})"
                raise PolicyRefused(f"{said}; it was not called", code="secret_found")
        if self._spec.results == "ignore":
            return await call_next(call, ctx)
        return self._cleared(call, await call_next(call, unheard(ctx)))

    def _cleared(self, call: ToolCall, result: ToolResult) -> ToolResult:
        search = _Search(self._spec)
        cleared = mapped_result(result, search)
        if not search.kinds:
            return result
        if self._spec.results == "refuse":
            said = f"the result of {call.name} holds what looks like a credential ({search.said}); it is not shown"
            raise PolicyRefused(said, code="secret_found")
        return cleared


class _Search:
    """Replaces what it finds, text by text, and remembers of which kinds it was."""

    def __init__(self, spec: SecretsScanSpec) -> None:
        self._spec = spec
        self._left = spec.max_chars
        self.kinds: set[Detector] = set()

    @property
    def said(self) -> str:
        """The kinds in words."""
        return ", ".join(sorted(self.kinds))

    def __call__(self, label: str, text: str) -> str:
        self._left -= len(text)
        if self._left < 0:
            raise PolicyRefused(
                f"it has more than {self._spec.max_chars} characters, which are not looked through", code="not_judged"
            )
        for found in reversed(find(text, label, self._spec.detect)):
            if not any(each.found(text[found.start : found.end]) for each in self._spec.allow):
                self.kinds.add(found.kind)
                text = f"{text[: found.start]}[secret:{found.kind}]{text[found.end :]}"
        return text


@contextlib.asynccontextmanager
async def open_interceptor(spec: SecretsScanSpec, _env: Env) -> AsyncIterator[SecretsScan]:
    """The interceptor; it holds nothing."""
    yield SecretsScan(spec)


KIND: Kind[SecretsScanSpec, SecretsScan] = Kind(
    "secrets_scan", "Credentials in arguments and results.", SecretsScanSpec, open_interceptor, pure=pure
)
"""The registration of the kind."""
