"""A tool of kind `http`, opened: its definition, and one call of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from headgate.core.context import ToolContext
from headgate.core.errors import ConfigError, ToolError
from headgate.core.kind import Env, Scope
from headgate.core.messages import ErrorInfo, ToolResult
from headgate.core.ports import ToolDefinition
from headgate.net.client import MAX_REDIRECTS
from headgate.tools.content import as_content, is_json, media_type, read_json, redact, visible
from headgate.tools.http.auth import Credentials, make_credentials
from headgate.tools.http.checks import check
from headgate.tools.http.draft import Draft, make_draft
from headgate.tools.http.pages import collect
from headgate.tools.http.sender import RETRIED, Answer, Sender
from headgate.tools.http.spec import HttpSpec

_SHOWN = 500
_HIDDEN_HEADERS = frozenset({"set-cookie", "set-cookie2", "www-authenticate", "proxy-authenticate"})


class _StatusError(Exception):
    """An error status, on its way out of the pages."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@contextlib.asynccontextmanager
async def open_tool(spec: HttpSpec, env: Env) -> AsyncIterator[HttpTool]:
    """The tool; it holds nothing open but what the shared client does."""
    for finding in check(spec, Scope(env.name, env.packages)):
        if finding.severity == "error":
            raise ConfigError(finding.message, key=finding.key, hint=finding.hint)
    yield HttpTool(spec, env, make_credentials(spec.auth, env.http))


class HttpTool:
    """Makes one request a call, or one a page."""

    def __init__(self, spec: HttpSpec, env: Env, credentials: Credentials) -> None:
        self._spec = spec
        self._env = env
        self._credentials = credentials
        self._sender = Sender(
            env.http,
            credentials,
            redirects=MAX_REDIRECTS if spec.request.method in ("GET", "HEAD") else 0,
            retry=spec.retry if spec.repeatable else None,
        )
        self.definition = ToolDefinition(env.name, spec.description, spec.input_schema, spec.behaviour, kind="http")
        self.timeout = spec.seconds

    async def call(self, args: dict[str, Any], ctx: ToolContext, /) -> ToolResult:
        """Runs one call; an error status is a result of its own, every other failure raises `ToolError`."""
        draft = self._draft(args, ctx)
        try:
            async with asyncio.timeout_at(ctx.deadline):
                return await self._run(draft, ctx.deadline)
        except TimeoutError as error:
            raise ToolError("tool_timeout", f"{draft.url.host} did not answer in time", retryable=True) from error
        except _StatusError as error:
            return self._refusal(draft, error.answer)
        except ToolError as error:
            raise ToolError(
                error.code, self._clean(error.message), retryable=error.retryable, details=error.details
            ) from error

    def _draft(self, args: dict[str, Any], ctx: ToolContext) -> Draft:
        draft = make_draft(self._spec.request, args)
        stated = self._spec.annotations.idempotent and draft.method not in ("GET", "HEAD")
        if not stated or any(name.lower() == "idempotency-key" for name in draft.headers):
            return draft
        return draft.with_headers({"Idempotency-Key": ctx.idempotency_key})

    async def _run(self, draft: Draft, deadline: float) -> ToolResult:
        left = self._spec.max_bytes

        async def fetch(page: Draft) -> tuple[Any, Answer]:
            nonlocal left
            answer = await self._fetch(page, left, deadline)
            left -= len(answer.body)
            return self._json(answer), answer

        if self._spec.paginate is None:
            return self._result(await self._fetch(draft, left, deadline))
        listing = await collect(self._spec.paginate, draft, fetch)
        meta = {"pages": listing.pages, **({"more": True} if listing.more else {})}
        return ToolResult(structured=self._shaped(listing.items), meta=meta)

    async def _fetch(self, draft: Draft, limit: int, deadline: float) -> Answer:
        answer = await self._sender.send(draft, limit, deadline)
        if answer.failed:
            raise _StatusError(answer)
        return answer

    def _result(self, answer: Answer) -> ToolResult:
        if self._spec.request.method == "HEAD":
            return ToolResult(structured=self._shaped(self._head(answer)))
        media, charset = media_type(answer.headers.get("content-type", ""))
        if not answer.body:
            return ToolResult()
        if is_json(media) or self._spec.output is not None:
            return ToolResult(structured=self._shaped(self._json(answer)))
        name = answer.url.path.rstrip("/").rpartition("/")[2]
        return ToolResult(content=(as_content(answer.body, media, charset, name, self._clean),))

    def _head(self, answer: Answer) -> dict[str, Any]:
        shown = {name: self._clean(value) for name, value in answer.headers.items() if name not in _HIDDEN_HEADERS}
        return {"status": answer.status, "headers": shown}

    def _json(self, answer: Answer) -> Any:
        return read_json(answer.body, self._clean) if answer.body else None

    def _shaped(self, value: Any) -> Any:
        return value if self._spec.output is None else self._spec.output.apply(value, self._spec.max_bytes)

    def _refusal(self, draft: Draft, answer: Answer) -> ToolResult:
        """The result for an error status: what the server said, cut and without secrets."""
        body = self._clean(answer.body.decode("utf-8", errors="replace")).strip()[:_SHOWN]
        said = f"{draft.url.host} answered {answer.status} {self._clean(answer.reason)}".rstrip()
        message = f"{said}: {body}" if body else said
        retryable = answer.status in RETRIED or answer.status >= 500
        error = ErrorInfo("http_status", message, retryable, {"status": answer.status})
        return ToolResult(status="error", error=error)

    def _clean(self, text: str) -> str:
        return visible(redact(self._env.scrub(text), self._credentials.secrets))
