"""From provider-neutral requests to the body of a Chat Completions request, as many servers take it.

Source: https://developers.openai.com/api/docs/api-reference/chat. Only members that nearly every server knows are sent,
and what a preset says of one server. Tool messages hold text alone, so images and documents of results follow in a
user message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from headgate.core.messages import Content, File, Image, Message, Opaque, Text, Thinking, ToolCall, ToolOutcome
from headgate.core.ports import ModelRequest
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
    output,
)
from headgate.providers.openai_presets import PLAIN, Preset

ID_LIMIT = 40
"""Characters of a call's id, and the shortest limit of all servers."""
KEY_LIMIT = 64
"""Characters of a cache key."""
_DETAILS, _FIELD = b'{"details":', b'{"field":'
UNSIGNED: Block = {"google": {"thought_signature": "skip_thought_signature_validator"}}
"""What Google documents for calls that another model made: without it Gemini 3 refuses them."""


def encode_request(
    request: ModelRequest,
    *,
    provider: str,
    preset: Preset = PLAIN,
    max_tokens: int | None = None,
    thinking: str | int | None = None,
) -> bytes:
    """The JSON body of a streaming request that asks for usage.

    `provider` is the name under which opaque parts were stored. `max_tokens` and `thinking` are the manifest's, and
    count where the request has none. NaN and infinities become null: they are not JSON.
    """
    limit = request.max_output_tokens or max_tokens
    body: Block = {
        "model": request.model,
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": list(_messages(request, provider, preset)),
        **_thinking(thinking if request.thinking is None else request.thinking, preset),
    }
    if request.tools:
        body["tools"] = [{"type": "function", "function": function(tool)} for tool in request.tools]
    if limit is not None:
        body[preset.limit] = limit
    if preset.own and request.session:
        body["prompt_cache_key"] = call_id(request.session, KEY_LIMIT)
    return encode(body)


def _thinking(thinking: str | int | None, preset: Preset) -> Block:
    if thinking is None:
        return {}
    level, on = effort(thinking), thinking != "off"
    said = {"reasoning_effort": level} if level else {}
    match preset.style:
        case "openrouter":
            if isinstance(thinking, int):
                return {"reasoning": {"max_tokens": thinking}}
            return {"reasoning": {"effort": level} if on and level else {"enabled": on}}
        case "switch":
            return {"thinking": {"type": "enabled" if on else "disabled"}, **(said if on else {})}
        case "template":
            return {"chat_template_kwargs": {"enable_thinking": on}, **(said if on else {})}
    return said


def _messages(request: ModelRequest, provider: str, preset: Preset) -> Iterator[Block]:
    if request.system.strip():
        yield {"role": "system", "content": request.system}
    for message in request.messages:
        if message.role == "assistant":
            yield from _assistant(message, (provider, request.model), preset)
        else:
            yield from _user(message)


def _assistant(message: Message, maker: tuple[str, str], preset: Preset) -> Iterator[Block]:
    calls = [_call(call, maker, unsigned=preset.signed and index == 0) for index, call in enumerate(message.calls)]
    if not calls and not message.text.strip():
        return
    out: Block = {"role": "assistant", "content": message.text if message.text.strip() else None}
    if calls:
        out["tool_calls"] = calls
        if preset.reasoned:
            out["reasoning_content"] = ""
    yield {**out, **_thoughts(message, maker)}


def _call(call: ToolCall, maker: tuple[str, str], *, unsigned: bool) -> Block:
    out: Block = {
        "id": call_id(call.id, ID_LIMIT),
        "type": "function",
        "function": {"name": call.name, "arguments": arguments(call)},
    }
    if (state := _own(call.opaque, maker)) is not None:
        out["extra_content"] = msgspec.Raw(state)
    elif unsigned:
        out["extra_content"] = UNSIGNED
    return out


def _thoughts(message: Message, maker: tuple[str, str]) -> Block:
    """The reasoning that goes back, in the member that it came in."""
    out: Block = {}
    for part in message.parts:
        if isinstance(part, Thinking) and (state := _own(part.opaque, maker)) is not None:
            # Data in another form is of another kind that had the provider's name before.
            if state.startswith(_DETAILS):
                out["reasoning_details"] = msgspec.json.decode(state)["details"]
            elif state.startswith(_FIELD):
                out[msgspec.json.decode(state)["field"]] = part.text
    return out


def _own(opaque: Opaque | None, maker: tuple[str, str]) -> bytes | None:
    return opaque.data if opaque is not None and (opaque.provider, opaque.model) == maker else None


def _user(message: Message) -> Iterator[Block]:
    shown: list[Content] = []
    for part in message.parts:
        if isinstance(part, ToolOutcome):
            text, media = output(part.result)
            if media:
                text = text or "The content follows in the next message."
                shown += [Text(f"Content from the tool {part.name}:"), *media]
            yield {"role": "tool", "tool_call_id": call_id(part.call_id, ID_LIMIT), "content": text}
    shown += [part for part in message.parts if isinstance(part, Text | Image | File)]
    if content := _content(shown):
        yield {"role": "user", "content": content}


def _content(parts: Sequence[Content]) -> str | list[Block]:
    """Text alone is a string: not every server takes a list."""
    if not any(is_media(part) for part in parts):
        return "\n\n".join(text for part in parts if (text := as_text(part)).strip())
    return [_block(part) for part in parts if not isinstance(part, Text) or part.text.strip()]


def _block(part: Content) -> Block:
    if is_media(part):
        match part:
            case Image(media_type, data):
                return {"type": "image_url", "image_url": {"url": data_url(media_type, data)}}
            case File(name, media_type, data):
                return {"type": "file", "file": {"filename": name, "file_data": data_url(media_type, data)}}
    return {"type": "text", "text": as_text(part)}


def opaque_field(name: str) -> bytes:
    """In which member the text of a thought goes back, as `Opaque.data`."""
    return encode({"field": name})


def opaque_details(details: Sequence[Block]) -> bytes:
    """The reasoning details that go back unchanged, as `Opaque.data`."""
    return encode({"details": details})
