"""A local mock of Anthropic's Messages API: a real HTTP server that plays scripted replies and refuses bad requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from headgate.testing.anthropic_replies import Reply, error, text, turn
from headgate.testing.anthropic_rules import complaint
from headgate.testing.model_api import ModelApi, Received

__all__ = ["AnthropicApi", "Received"]


class AnthropicApi(ModelApi[Reply]):
    """Serves `POST /v1/messages`; a bad request gets the API's 400 or 401."""

    paths = ("/v1/messages",)

    def __init__(self, *replies: Reply, default: Reply | Callable[[Received], Reply] | None = None) -> None:
        super().__init__(*replies, default=default or turn(text("Hello", " there")))

    async def __aenter__(self) -> AnthropicApi:
        await super().__aenter__()
        return self

    def events(self, reply: Reply, received: Received) -> Iterable[bytes]:
        """The frames of the Messages API."""
        return reply.events(received.body["model"])

    def whole(self, reply: Reply, received: Received) -> dict[str, Any]:
        """One message."""
        return reply.message(received.body["model"])

    def refuse(self, received: Received | None) -> Reply | None:
        """What is wrong with the head or the body."""
        if received is None:
            return error(400, "invalid_request_error", "The request body is not valid JSON")
        headers = received.headers
        if not headers.get("authorization", "").startswith("Bearer ") and not headers.get("x-api-key"):
            return error(401, "authentication_error", "authentication is required")
        if "anthropic-version" not in headers:
            return error(400, "invalid_request_error", "anthropic-version: header is required")
        problem = complaint(received.body)
        return error(400, "invalid_request_error", problem) if problem else None
