"""Exchanges on `/api/*` that every ai-agent-gateway 0.5.3 server answers with the same bytes, as plain data.

In headers and bodies `{token}` stands for the token of a live, idle session and `{api_key}` for an accepted key; the
server accepts no other key. Bodies are JSON and full of braces: fill the markers with `replace`, never with `format`.
The cases named `cors_*` hold where every origin is allowed. No case opens a stream or changes a session.
"""

import json as codec
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

INIT, CHAT, RESULT, APPROVAL = "/api/chat/init", "/api/chat", "/api/chat/tool-result", "/api/chat/tool-approval"
HEALTH = "/api/health"

Headers = tuple[tuple[str, str], ...]
Json = dict[str, Any]
BEARER, STRANGER = ("authorization", "Bearer {token}"), ("authorization", "Bearer x")
TYPED: Headers = (("content-type", "application/json"),)
SIGNED: Headers = (*TYPED, BEARER)
PLAIN: Headers = (("content-type", "text/plain; charset=utf-8"),)


@dataclass(frozen=True, slots=True)
class Case:
    """One request and its answer; `json` is the decoded body, a `str` for plain text, `None` for no body.

    `headers` may name a field twice. Names in `expect_headers` are lower case; other headers may be present.
    """

    name: str
    method: str
    path: str
    headers: Headers
    body: bytes
    status: int
    json: Json | str | None
    expect_headers: Headers = TYPED

    @property
    def payload(self) -> bytes:
        """The exact bytes of the expected body: members in order, no spaces, UTF-8 unescaped."""
        return sent(self.json) if isinstance(self.json, dict) else (self.json or "").encode()


def sent(body: object) -> bytes:
    """Encode a body as compact JSON."""
    return codec.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


MESSAGES = {
    "missing": "Field required",
    "string_type": "Input should be a valid string",
    "string_too_short": "String should have at least 1 character",
    "dict_type": "Input should be a valid dictionary",
    "list_type": "Input should be a valid list",
    "bool_type": "Input should be a valid boolean",
    "bool_parsing": "Input should be a valid boolean, unable to interpret input",
    "model_attributes_type": "Input should be a valid dictionary or object to extract fields from",
    "json_invalid": "JSON decode error",
}


def fault(kind: str, given: object, *loc: str | int, **context: object) -> Json:
    """Build one entry of a 422 body in wire order; for "missing", `given` is the whole enclosing object."""
    found: Json = {"type": kind, "loc": ["body", *loc], "msg": MESSAGES[kind], "input": given}
    return {**found, "ctx": context} if context else found


def syntax(position: int, error: str) -> Json:
    """Build the fault of malformed JSON; `position` counts characters, not bytes, from 0."""
    return fault("json_invalid", {}, position, error=error)


def boolean(given: object, key: str) -> Json:
    """Build the fault of a value that is no boolean: words and whole numbers are tried first, others are not."""
    tried = isinstance(given, int | str) or (isinstance(given, float) and given.is_integer())
    return fault("bool_parsing" if tried else "bool_type", given, key)


def invalid(name: str, path: str, body: bytes, *faults: Json, headers: Headers = SIGNED) -> Case:
    """Refuse a body with 422 and all its faults, in the order of the schema."""
    return Case(name, "POST", path, headers, body, 422, {"detail": list(faults)})


def denied(name: str, path: str, body: bytes, detail: str, headers: Headers = TYPED) -> Case:
    """Refuse a request with 401."""
    return Case(name, "POST", path, headers, body, 401, {"detail": detail})


def unknown(name: str, path: str, body: bytes, headers: Headers = SIGNED) -> Case:
    """Refuse a well-formed answer to a tool call that is not pending."""
    return Case(name, "POST", path, headers, body, 404, {"error": "Unknown tool_call_id"})


def bad(name: str, path: str, body: bytes) -> Case:
    """Refuse a body that cannot be read as JSON text at all."""
    return Case(name, "POST", path, SIGNED, body, 400, {"detail": "There was an error parsing the body"})


HI, CALL = {"role": "user", "content": "hi"}, {"tool_call_id": "x", "nonce": "y"}
TURN, PENDING, NOPE = sent({"messages": [HI]}), sent(CALL), sent({"api_key": "nope"})
EMPTY = fault("missing", None)
FIVE = fault("list_type", 5, "messages")
QUOTED = "Expecting property name enclosed in double quotes"
SYNTAX = {
    "blank": (b"  ", 2, "Expecting value"),
    "open_object": (b"{", 1, QUOTED),
    "no_value": (b'{"api_key":}', 11, "Expecting value"),
    "second_line": (b'{\n "api_key": }', 14, "Expecting value"),
    "wide_characters": ('{"é😀":}'.encode(), 6, "Expecting value"),
    "single_quotes": (b"{'api_key':'x'}", 1, QUOTED),
    "trailing_data": (b'{"api_key":"x"} x', 16, "Extra data"),
    "bare_word": (b"nope", 0, "Expecting value"),
    "no_colon": (b'{"api_key" "x"}', 11, "Expecting ':' delimiter"),
    "no_comma": (b'{"a":1 "b":2}', 7, "Expecting ',' delimiter"),
    "open_string": (b'{"api_key":"x', 11, "Unterminated string starting at"),
    "control_character": (b'{"api_key":"\x01"}', 12, "Invalid control character at"),
    "bad_escape": (b'{"api_key":"\\x"}', 12, "Invalid \\escape"),
}
WHOLES: tuple[object, ...] = ([], "x", 5, True)
NOT_JSON = ("text/plain", "text/json", "application/octet-stream", "application/x-www-form-urlencoded", "garbage")
AS_JSON = ("APPLICATION/JSON", "application/json; charset=latin-1", "application/vnd.api+json")
ESCAPED = b'{"z":"\\u00e9\\ud83d\\ude00\\u2028\\u0000/","a":{"y":[1.0,1e3,null]}}'
UNESCAPED = {"z": "é😀\u2028\0/", "a": {"y": [1.0, 1000.0, None]}}


def init_cases() -> Iterator[Case]:
    """Yield the refusals of `POST /api/chat/init`."""
    for name, (body, position, error) in SYNTAX.items():
        yield invalid(f"init_{name}", INIT, body, syntax(position, error), headers=TYPED)
    for value in (1, 1.5, True, None, ["a"], {"a": 1}):
        given = fault("string_type", value, "api_key")
        yield invalid(f"init_key_{type(value).__name__}", INIT, sent({"api_key": value}), given, headers=TYPED)
    for whole in WHOLES:
        given = fault("model_attributes_type", whole)
        yield invalid(f"init_body_{type(whole).__name__}", INIT, sent(whole), given, headers=TYPED)
    for media in NOT_JSON:
        given = fault("model_attributes_type", NOPE.decode())
        yield invalid(f"init_{media}", INIT, NOPE, given, headers=(("content-type", media),))
    for media in AS_JSON:
        yield denied(f"init_{media}", INIT, NOPE, "Invalid API key", (("content-type", media),))
    yield invalid("init_untyped", INIT, NOPE, fault("model_attributes_type", NOPE.decode()), headers=())
    yield invalid("init_untyped_syntax", INIT, b"{", fault("model_attributes_type", "{"), headers=())
    yield invalid("init_no_body", INIT, b"", EMPTY, headers=TYPED)
    yield invalid("init_no_body_untyped", INIT, b"", EMPTY, headers=())
    yield invalid("init_missing", INIT, b"{}", fault("missing", {}, "api_key"), headers=TYPED)
    yield invalid("init_query", f"{INIT}?api_key=x", b"{}", fault("missing", {}, "api_key"), headers=TYPED)
    yield invalid("init_echo", INIT, ESCAPED, fault("missing", UNESCAPED, "api_key"), headers=TYPED)
    short = fault("string_too_short", "", "api_key", min_length=1)
    yield invalid("init_empty_key", INIT, b'{"api_key":""}', short, headers=TYPED)
    last = fault("string_type", 1, "api_key")
    yield invalid("init_last_duplicate", INIT, b'{"api_key":"{api_key}","api_key":1}', last, headers=TYPED)
    yield denied("init_wrong_key", INIT, NOPE, "Invalid API key")
    yield denied("init_extra_member", INIT, b'{"api_key":"nope","x":1}', "Invalid API key")
    yield denied("init_padded_key", INIT, b'{"api_key":" {api_key}"}', "Invalid API key")
    yield denied("init_byte_order_mark", INIT, b"\xef\xbb\xbf" + NOPE, "Invalid API key")
    yield denied("init_utf_16", INIT, NOPE.decode().encode("utf-16-le"), "Invalid API key")
    yield bad("init_not_utf_8", INIT, b'{"api_key":"\xff"}')
    yield bad("init_too_deep", INIT, b"[" * 100_000)


ABSENT, FORGED = "Missing Authorization header", "Invalid session token"
UNREAD = ("bearer {token}", "BEARER {token}", "Bearer{token}", "Bearer\t{token}", "Bearer", "Basic abc", "{token}", "")
REFUSED = ("Bearer  {token}", "Bearer {token} x", "Bearer {token}.x", "Bearer x", "Bearer a.b.c", "Bearer e30.e30.")


def auth_cases() -> Iterator[Case]:
    """Yield the refusals of credentials, and what is checked before them."""
    for detail, values in ((ABSENT, UNREAD), (FORGED, REFUSED)):
        for value in values:
            yield denied(f"auth_{value}", RESULT, PENDING, detail, (*TYPED, ("authorization", value)))
    for path, body in ((CHAT, TURN), (RESULT, PENDING), (APPROVAL, sent({**CALL, "approved": True}))):
        yield denied(f"auth_absent_{path}", path, body, ABSENT)
        yield denied(f"auth_forged_{path}", path, body, FORGED, (*TYPED, STRANGER))
    yield denied("auth_query", f"{RESULT}?token=x", PENDING, ABSENT)
    yield denied("auth_before_model", CHAT, b'{"messages":[],"model":"gpt-9"}', FORGED, (*TYPED, STRANGER))
    yield denied("auth_second_ignored", RESULT, PENDING, FORGED, (*TYPED, STRANGER, BEARER))
    yield unknown("auth_first_counts", RESULT, PENDING, (*TYPED, BEARER, STRANGER))
    for name, headers in (("absent", TYPED), ("forged", (*TYPED, STRANGER))):
        yield invalid(f"auth_{name}_after_body", CHAT, b'{"messages":5}', FIVE, headers=headers)
        yield invalid(f"auth_{name}_after_syntax", CHAT, b"{", syntax(1, QUOTED), headers=headers)
        yield invalid(f"auth_{name}_after_no_body", CHAT, b"", EMPTY, headers=headers)


PART = ("messages", 0)
BLOCKS = [{"type": "text", "text": "hi"}]
BAD_MESSAGES: dict[str, tuple[list[Any], list[Json]]] = {
    "no_role": ([{"content": "hi"}], [fault("missing", {"content": "hi"}, *PART, "role")]),
    "no_content": ([HI, {"role": "user"}], [fault("missing", {"role": "user"}, "messages", 1, "content")]),
    "empty": ([{}], [fault("missing", {}, *PART, "role"), fault("missing", {}, *PART, "content")]),
    "content_list": ([{**HI, "content": BLOCKS}], [fault("string_type", BLOCKS, *PART, "content")]),
    "content_null": ([{**HI, "content": None}], [fault("string_type", None, *PART, "content")]),
    "content_int": ([{**HI, "content": 1}], [fault("string_type", 1, *PART, "content")]),
    "role_int": ([{**HI, "role": 1}], [fault("string_type", 1, *PART, "role")]),
    "role_null": ([{**HI, "role": None}], [fault("string_type", None, *PART, "role")]),
}
NOT_STRINGS: tuple[object, ...] = (1, ["x"], {}, False)
NOT_OBJECTS: tuple[object, ...] = (None, [], "x", 0, False)
MODELS = ("gpt-9", " ", " claude-sonnet-4-6", "Claude-Sonnet-4-6", 'é "q" 😀\n')


def chat_cases() -> Iterator[Case]:
    """Yield the refusals of `POST /api/chat` with a valid token."""
    for value in (None, "hi", HI, 1):
        given = fault("list_type", value, "messages")
        yield invalid(f"chat_messages_{type(value).__name__}", CHAT, sent({"messages": value}), given)
    for item in NOT_OBJECTS[:3]:
        given = fault("model_attributes_type", item, *PART)
        yield invalid(f"chat_item_{type(item).__name__}", CHAT, sent({"messages": [item]}), given)
    for name, (messages, faults) in BAD_MESSAGES.items():
        yield invalid(f"chat_message_{name}", CHAT, sent({"messages": messages}), *faults)
    for context in NOT_OBJECTS:
        body = sent({"messages": [HI], "context": context})
        yield invalid(f"chat_context_{type(context).__name__}", CHAT, body, fault("dict_type", context, "context"))
    for model in NOT_STRINGS:
        body = sent({"messages": [HI], "model": model})
        yield invalid(f"chat_model_{type(model).__name__}", CHAT, body, fault("string_type", model, "model"))
    for index, title in enumerate(MODELS):
        body, detail = sent({"messages": [HI], "model": title}), {"detail": f"Invalid model: {title}"}
        yield Case(f"chat_unknown_model_{index}", "POST", CHAT, SIGNED, body, 400, detail)
    yield invalid("chat_missing", CHAT, b'{"x":1,"context":{}}', fault("missing", {"x": 1, "context": {}}, "messages"))
    order = (FIVE, fault("dict_type", 5, "context"), fault("string_type", 5, "model"))
    yield invalid("chat_schema_order", CHAT, b'{"model":5,"context":5,"messages":5}', *order)
    yield invalid("chat_body_list", CHAT, b"[]", fault("model_attributes_type", []))
    yield invalid("chat_untyped", CHAT, TURN, fault("model_attributes_type", TURN.decode()), headers=(BEARER,))
    yield invalid("chat_syntax", CHAT, b'{"messages":[}', syntax(13, "Expecting value"))
    yield bad("chat_not_utf_8", CHAT, b"\xff")


BOOLS = ("true", "TRUE", "yes", "on", "t", "y", "1", "false", "no", "off", "f", "n", "0", True, False, 1, 0, 1.0, 0.0)
NOT_BOOLEAN: tuple[object, ...] = (2, -1, 2.0, 1.5, "maybe", "", " true", None, [], {})
EXTRAS: tuple[Json, ...] = ({}, {"result": None, "error": None}, {"result": {}, "error": {}}, {"x": 1}, {"nonce": ""})


def tool_cases() -> Iterator[Case]:
    """Yield the answers to tool calls that are malformed or name a call that is not pending."""
    for more in EXTRAS:
        yield unknown(f"result_{more}", RESULT, sent({**CALL, **more}))
    for key in ("result", "error"):
        for value in NOT_OBJECTS[1:]:
            given = fault("dict_type", value, key)
            yield invalid(f"result_{key}_{value}", RESULT, sent({**CALL, key: value}), given)
    for word in BOOLS:
        yield unknown(f"approval_{word!r}", APPROVAL, sent({**CALL, "approved": word}))
    for key in ("approved", "allow_tool_type"):
        for odd in NOT_BOOLEAN:
            yield invalid(f"{key}_{odd!r}", APPROVAL, sent({**CALL, "approved": True, key: odd}), boolean(odd, key))
    for path, keys in ((RESULT, ("tool_call_id", "nonce")), (APPROVAL, ("tool_call_id", "nonce", "approved"))):
        yield invalid(f"empty_object_{path}", path, b"{}", *(fault("missing", {}, key) for key in keys))
        yield invalid(f"no_body_{path}", path, b"", EMPTY)
        yield invalid(f"syntax_{path}", path, b"{", syntax(1, QUOTED))
        yield invalid(f"body_list_{path}", path, b"[]", fault("model_attributes_type", []))
    yield invalid("approval_undecided", APPROVAL, PENDING, fault("missing", CALL, "approved"))
    yield invalid("result_id_int", RESULT, sent({**CALL, "tool_call_id": 1}), fault("string_type", 1, "tool_call_id"))
    yield invalid("result_nonce_null", RESULT, sent({**CALL, "nonce": None}), fault("string_type", None, "nonce"))


ORIGIN = ("origin", "http://shop.example")
ANY = ("access-control-allow-origin", "*")
ALLOWED = "Accept, Accept-Language, Authorization, Content-Language, Content-Type, X-MCP-Secret"
VERBS = ("access-control-allow-methods", "GET, POST, OPTIONS")
METHODS = {"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}
OFFER: Headers = (ANY, VERBS, ("access-control-max-age", "600"), ("access-control-allow-headers", ALLOWED), *PLAIN)
PREFLIGHTS = (
    ("POST", "Authorization, Content-Type, X-MCP-Secret", 200, "OK"),
    ("GET", "accept, content-language", 200, "OK"),
    ("PUT", "authorization", 400, "Disallowed CORS method"),
    ("post", "authorization", 400, "Disallowed CORS method"),
    ("POST", "x-other", 400, "Disallowed CORS headers"),
    ("PUT", "x-other", 400, "Disallowed CORS method, headers"),
)


def route_cases() -> Iterator[Case]:
    """Yield the answers that depend on the method, the path and the origin alone."""
    lost, barred = {"detail": "Not Found"}, {"detail": "Method Not Allowed"}
    yield Case("health", "GET", f"{HEALTH}?x=1", (), b"", 200, {"status": "ok"})
    for path in ("/api/none", "/api/Chat", "//api/chat", f"{CHAT}/other"):
        yield Case(f"path_{path}", "GET", path, (), b"", 404, lost)
    for path in (CHAT, INIT, HEALTH):
        where = (("location", f"http://localhost{path}"),)
        yield Case(f"slash_{path}", "POST", f"{path}/", (("host", "localhost"),), b"", 307, None, where)
    for path, allow in ((CHAT, "POST"), (INIT, "POST"), (RESULT, "POST"), (APPROVAL, "POST"), (HEALTH, "GET")):
        for verb in sorted(METHODS - {allow}):
            body, named = (None if verb == "HEAD" else barred), (*TYPED, ("allow", allow))
            yield Case(f"method_{verb}_{path}", verb, path, (), b"", 405, body, named)
    for verb, wanted, status, text in PREFLIGHTS:
        asked = (ORIGIN, ("access-control-request-method", verb), ("access-control-request-headers", wanted))
        yield Case(f"cors_{verb}_{wanted}", "OPTIONS", CHAT, asked, b"", status, text, OFFER)
    yield Case("cors_simple", "GET", HEALTH, (ORIGIN,), b"", 200, {"status": "ok"}, (*TYPED, ANY))
    yield Case("cors_denied", "POST", CHAT, (*TYPED, ORIGIN), TURN, 401, {"detail": ABSENT}, (*TYPED, ANY))
    yield Case("cors_lost", "GET", "/api/none", (ORIGIN,), b"", 404, lost, (*TYPED, ANY))


CASES: list[Case] = [*init_cases(), *auth_cases(), *chat_cases(), *tool_cases(), *route_cases()]
