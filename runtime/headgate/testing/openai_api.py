"""A local mock of OpenAI's APIs: a real HTTP server that plays scripted replies and refuses bad requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from headgate.testing.model_api import ModelApi, Received
from headgate.testing.openai_replies import Reply, error, text, turn
from headgate.testing.openai_rules import chat_complaint, responses_complaint
from headgate.testing.openai_streams import chat, completion, response, responses

__all__ = ["OpenAiApi", "Received"]


class OpenAiApi(ModelApi[Reply]):
    """Serves `POST /v1/responses` and `POST /v1/chat/completions`; a bad request gets the API's 400 or 401.

    `base` is the address as clients want it, with the version. A `compatible` server needs no key and knows members
    for thinking that OpenAI does not.
    """

    paths = ("/v1/responses", "/v1/chat/completions")

    def __init__(
        self, *replies: Reply, default: Reply | Callable[[Received], Reply] | None = None, compatible: bool = False
    ) -> None:
        super().__init__(*replies, default=default or turn(text("Hello", " there")))
        self._compatible = compatible

    @property
    def base(self) -> str:
        """The address with the API's version."""
        return f"{self.url}/v1"

    async def __aenter__(self) -> OpenAiApi:
        await super().__aenter__()
        return self

    def events(self, reply: Reply, received: Received) -> Iterable[bytes]:
        """The frames of the endpoint that was asked."""
        return (chat if _is_chat(received) else responses)(reply, received.body["model"])

    def whole(self, reply: Reply, received: Received) -> dict[str, Any]:
        """One response or completion."""
        return (completion if _is_chat(received) else response)(reply, received.body["model"])

    def refuse(self, received: Received | None) -> Reply | None:
        """What is wrong with the head or the body."""
        if received is None:
            return _invalid("We could not parse the JSON body of your request.")
        if not self._compatible and not received.headers.get("authorization", "").startswith("Bearer "):
            return error(401, None, "You didn't provide an API key.", type="invalid_request_error")
        if _is_chat(received):
            problem = chat_complaint(received.body, compatible=self._compatible)
        else:
            problem = responses_complaint(received.body)
        return _invalid(problem) if problem else None


def _is_chat(received: Received) -> bool:
    return received.path.endswith("/chat/completions")


def _invalid(message: str) -> Reply:
    return error(400, None, message, type="invalid_request_error")
