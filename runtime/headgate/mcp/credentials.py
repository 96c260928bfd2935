"""The member `credentials` of the admin API, as clients of agents-gateway write it: one flat object for every type.

It becomes the `auth` and further `headers` of a server. Errors name keys, and never show values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headgate.core.errors import Invalid

NONE, STATIC = "none", "static_header"
OAUTH2, GOOGLE, USER = "oauth2_client_credentials", "google_service_account", "oauth2_user"
TYPES = (NONE, STATIC, OAUTH2, GOOGLE, USER)
OF_AUTH = {"bearer": STATIC, "api_key": STATIC, "command": STATIC, OAUTH2: OAUTH2, GOOGLE: GOOGLE, USER: USER}
"""What the types of `auth` are called there."""
_TYPE = "auth_type"
_NEEDED = {OAUTH2: ("token_url", "client_id", "client_secret"), GOOGLE: ("service_account_json", "scopes")}
_KNOWN = {OAUTH2: {*_NEEDED[OAUTH2], "scopes", "extra_params", "auth_method"}, GOOGLE: {*_NEEDED[GOOGLE]}, NONE: set()}
_KNOWN[USER] = {"client_id", "client_secret", "auth_method", "metadata_url", "issuer", "scopes"}


@dataclass(frozen=True, slots=True)
class Signing:
    """How a server's requests are signed: the type's name, the `auth` of its spec, and headers besides."""

    kind: str = NONE
    auth: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict, repr=False)


def read_credentials(given: Mapping[str, Any]) -> Signing:
    """What the object stands for; raises `Invalid`."""
    kind = given.get(_TYPE, STATIC if given else NONE)
    if kind not in TYPES:
        raise _wrong(f"it is none of {', '.join(TYPES)}", _TYPE)
    members = {key: value for key, value in given.items() if key != _TYPE}
    for key in _NEEDED.get(kind, ()):
        if not members.get(key):
            raise _wrong(f"{_TYPE} {kind!r} needs it", key)
    if kind == STATIC:
        return _static(members)
    for key in members:
        if key not in _KNOWN[kind]:
            raise _wrong(f"{_TYPE} {kind!r} does not have it", key)
    if kind == NONE:
        return Signing()
    account = members.get("service_account_json")
    if isinstance(account, dict):
        members["service_account_json"] = json.dumps(account)
    return Signing(kind, {"type": kind, **members})


def _static(members: dict[str, Any]) -> Signing:
    """A bearer token or a key; every further text is a header of that name."""
    headers = members.pop("headers", {})
    if not isinstance(headers, dict):
        raise _wrong("it is no object of header names and values", "headers")
    token, key, header = (members.pop(name, None) for name in ("bearer_token", "api_key", "api_key_header"))
    if header is not None and key is None:
        raise _wrong("it means nothing without api_key", "api_key_header")
    texts = {"bearer_token": token, "api_key": key, "api_key_header": header}
    for name, value in {**headers, **members, **{name: each for name, each in texts.items() if each}}.items():
        if not isinstance(value, str):
            raise _wrong("it is no text", name)
    header, headers = header or "X-API-Key", {**headers, **members}
    if not token:
        return Signing(STATIC, {"type": "api_key", "key": key, "header": header} if key else None, headers)
    return Signing(STATIC, {"type": "bearer", "token": token}, {**headers, **({header: key} if key else {})})


def _wrong(detail: str, key: str) -> Invalid:
    place = {"detail": detail, "pointer": f"#/credentials/{key}"}
    return Invalid(f"credentials.{key}: {detail}", details={"errors": [place]})
