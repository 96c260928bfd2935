"""Interceptors of kind `taint`: a run that has read what nobody vouches for does no harm afterwards.

Results of sources are marked in their `meta`. The engine derives from the marks of a transcript whether a run is
tainted (`RunContext.tainted`), so that nothing of it has to be kept, and a restart changes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import ClassVar, Literal

import msgspec

from headgate.core.context import ToolContext
from headgate.core.errors import PolicyRefused
from headgate.core.glob import covers
from headgate.core.kind import Env, Kind, pure
from headgate.core.messages import ToolCall, ToolResult
from headgate.core.ports import Annotations, ToolNext
from headgate.interceptors.common import Globs, InterceptorSpec, Passing

MARK = "tainted"
"""The member of `ToolResult.meta` that the engine looks for; its value names the source."""


class TaintSpec(InterceptorSpec):
    """Refuses calls of sinks in a run that has read from a source. A tool may be both."""

    kind: Literal["taint"]
    sources: Globs | None = None
    """Names or globs of the tools whose results nobody vouches for; if unstated, those that are `open_world`."""
    sinks: Globs | None = None
    """Names or globs of the tools that a tainted run may not call; if unstated, those that are not `read_only`. With
    none, calls are only marked, and an approval policy with `when: tool.tainted` can ask."""

    naming_tools: ClassVar[tuple[str, ...]] = ("tools", "sources", "sinks")


class Taint(Passing):
    """Marks what comes from sources, and refuses sinks once the model has read it."""

    def __init__(self, spec: TaintSpec) -> None:
        self._spec = spec

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """The call, unless it is one of a sink in a tainted run; its result is marked when it is one of a source."""
        hints = ctx.tool.annotations if ctx.tool is not None else Annotations()
        source = _among(self._spec.sources, call.name, otherwise=hints.open_world)
        sink = _among(self._spec.sinks, call.name, otherwise=not hints.read_only)
        if sink and ctx.within is not None and ctx.within.tainted and not ctx.resumed:
            if source and ctx.within.watched:  # the call is made all the same
                ctx.mark(MARK, call.name)
            said = f"this run has read what nobody vouches for, so {call.name} may not be called any more"
            raise PolicyRefused(said, code="tainted")
        result = await call_next(call, ctx)
        if not source or result.status in ("denied", "expired"):  # nothing was read
            return result
        ctx.mark(MARK, call.name)
        if self._spec.mode != "enforce":
            return result
        # The mark travels with the result too, so that a cache further out keeps it.
        return msgspec.structs.replace(result, meta={**result.meta, MARK: call.name})


def _among(globs: Globs | None, name: str, *, otherwise: bool) -> bool:
    return otherwise if globs is None else any(covers(each, name) for each in globs)


@contextlib.asynccontextmanager
async def open_interceptor(spec: TaintSpec, _env: Env) -> AsyncIterator[Taint]:
    """The interceptor; it holds nothing."""
    yield Taint(spec)


KIND: Kind[TaintSpec, Taint] = Kind(
    "taint", "Nothing is written by who has read what nobody vouches for.", TaintSpec, open_interceptor, pure=pure
)
"""The registration of the kind."""
