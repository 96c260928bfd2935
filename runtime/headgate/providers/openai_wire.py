"""From provider-neutral requests to the body of OpenAI's Responses API.

Source: https://developers.openai.com/api/docs/api-reference/responses. Nothing is stored at the provider: the whole
conversation is sent every time, with the encrypted reasoning that this provider and model gave out. What the API
refuses is never sent: reasoning without what it led to, reasoning of another model, a limit below the smallest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from headgate.core.messages import Content, File, Image, Message, Opaque, Text, Thinking, ToolCall, ToolOutcome
from headgate.core.ports import ModelRequest, ToolDefinition
from headgate.providers.openai_parts import (
    Block,
    arguments,
    as_text,
    call_id,
    data_url,
    effort,
    encode,
    function,
    is_media,
    is_strict,
    output,
)

MIN_OUTPUT_TOKENS = 16
"""The API's smallest limit of a turn."""
ID_LIMIT = 64
"""Characters of a call's id, and of a cache key."""

_UNTHINKING = re.compile(r"gpt-(?:3\.5|4).*|chatgpt-.*|.*-chat(?:-latest)?")
_LEAST = (
    (re.compile(r"gpt-6-astra.*|gpt-6\.\d+-(?:astra|sol).*|o\d.*|codex-.*"), "low"),
    (re.compile(r"gpt-5(?:-mini|-nano)?(?:-\d{4}-\d\d-\d\d)?"), "minimal"),
)
"""What stands for `off` at models that refuse the effort `none`; the others take it."""
_PHASE = b'{"phase":'
_REASONING = b'{"type":"reasoning"'
"""How the opaque data of this module begin; a provider's name may have belonged to another kind before."""


def encode_request(
    request: ModelRequest, *, provider: str, max_tokens: int | None = None, thinking: str | int | None = None
) -> bytes:
    """The JSON body of a streaming request.

    `provider` is the name under which opaque parts were stored. `max_tokens` and `thinking` are the manifest's, and
    count where the request has none. NaN and infinities become null: they are not JSON.
    """
    thinking = thinking if request.thinking is None else request.thinking
    limit = request.max_output_tokens or max_tokens
    body: Block = {
        "model": request.model,
        "stream": True,
        "store": False,
        "input": [item for message in request.messages for item in _items(message, provider, request.model)],
        **_reasoning(thinking, request.model.rpartition("/")[2]),
    }
    if request.system.strip():
        body["instructions"] = request.system
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if limit is not None:
        body["max_output_tokens"] = max(limit, MIN_OUTPUT_TOKENS)
    if request.session:
        body["prompt_cache_key"] = call_id(request.session, ID_LIMIT)
    return encode(body)


def _reasoning(thinking: str | int | None, model: str) -> Block:
    """The `reasoning` and `include` members; models that do not reason refuse both."""
    if _UNTHINKING.fullmatch(model):
        return {}
    out: Block = {"include": ["reasoning.encrypted_content"]}
    if thinking == "off":
        out["reasoning"] = {"effort": next((word for names, word in _LEAST if names.fullmatch(model)), "none")}
    elif thinking is not None:
        level = effort(thinking)
        out["reasoning"] = {"summary": "auto", **({"effort": level} if level else {})}
    return out


def _tool(tool: ToolDefinition) -> Block:
    described = function(tool)
    # Unsaid, strict is true here, and the API would refuse or change most schemas.
    return {"type": "function", **described, "strict": is_strict(described["parameters"])}


def _items(message: Message, provider: str, model: str) -> Iterator[Any]:
    return _assistant(message, provider, model) if message.role == "assistant" else _user(message)


def _assistant(message: Message, provider: str, model: str) -> Iterator[Any]:
    held: list[msgspec.Raw] = []
    phase: Block = {}
    for part in message.parts:
        match part:
            case Thinking(_, Opaque(provider=maker, model=made_with, data=data)) if (maker, made_with) == (
                provider,
                model,
            ):
                if data.startswith(_PHASE):
                    phase = msgspec.json.decode(data)
                elif data.startswith(_REASONING):
                    held.append(msgspec.Raw(data))
            case Text(text) if text.strip():
                # Reasoning is only taken back before what it led to; what the turn broke off after stays behind.
                yield from held
                yield {"role": "assistant", "content": text, **phase}
                held, phase = [], {}
            case ToolCall():
                yield from held
                yield {
                    "type": "function_call",
                    "call_id": call_id(part.id, ID_LIMIT),
                    "name": part.name,
                    "arguments": arguments(part),
                }
                held = []


def _user(message: Message) -> Iterator[Block]:
    for part in message.parts:
        if isinstance(part, ToolOutcome):
            yield {
                "type": "function_call_output",
                "call_id": call_id(part.call_id, ID_LIMIT),
                "output": _output(part),
            }
    shown = [_content(part) for part in message.parts if isinstance(part, Text | Image | File) and not _blank(part)]
    if shown:
        yield {"role": "user", "content": shown}


def _output(part: ToolOutcome) -> str | Sequence[Block]:
    text, media = output(part.result)
    if not media:
        return text
    said = [{"type": "input_text", "text": text}] if text.strip() else []
    return [*said, *(_content(each) for each in media)]


def _blank(part: Content) -> bool:
    return isinstance(part, Text) and not part.text.strip()


def _content(part: Content) -> Block:
    if is_media(part):
        match part:
            case Image(media_type, data):
                return {"type": "input_image", "image_url": data_url(media_type, data)}
            case File(name, media_type, data):
                return {"type": "input_file", "filename": name, "file_data": data_url(media_type, data)}
    return {"type": "input_text", "text": as_text(part)}


def opaque_reasoning(item: Block) -> bytes:
    """What must go back unchanged of a reasoning item, as `Opaque.data`; empty when nothing can."""
    if not item.get("encrypted_content"):
        # An item without it is looked up at the provider, where nothing is stored.
        return b""
    kept = {name: value for name, value in item.items() if name not in ("type", "status") and value is not None}
    return encode({"type": "reasoning", **kept})


def opaque_phase(phase: str) -> bytes:
    """The label of the text that follows (`commentary`, `final_answer`), as `Opaque.data`."""
    return encode({"phase": phase})
