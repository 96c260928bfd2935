"""Callers whom an identity provider vouches for: no key stands for them, so the gateway remembers who came."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import httpx2

from headgate.compile.auth import Oidc
from headgate.core.context import VOUCHED, Principal
from headgate.core.errors import Unauthenticated
from headgate.net.oidc import Issuer

PREFIX = VOUCHED
_REMEMBERED = 10_000
_LONGEST = 255


@dataclass(slots=True)
class Visitors:
    """Those who came under one `[auth.oidc]`, which `trusted` says; a change of it forgets them all."""

    trusted: Callable[[], Oidc | None]
    _spec: Oidc | None = None
    _issuer: Issuer | None = None
    _known: OrderedDict[str, Principal] = field(default_factory=OrderedDict)

    def _align(self) -> None:
        spec = self.trusted()
        if spec != self._spec:
            self._spec, self._known = spec, OrderedDict()
            self._issuer = Issuer(spec.issuer, spec.audience, spec.algorithms) if spec is not None else None

    async def admit(self, token: str, http: httpx2.AsyncClient) -> Principal:
        """Who the token speaks of; raises `Unauthenticated` and `Unavailable`."""
        self._align()
        issuer, spec = self._issuer, self._spec
        if issuer is None or spec is None:
            raise Unauthenticated("this gateway takes no tokens of identity providers", code="invalid_credentials")
        claims = await issuer.claims(token, http)
        principal = principal_of(claims, spec)
        self._known[principal.digest] = replace(principal, expires=None)  # what was begun goes on
        self._known.move_to_end(principal.digest)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return principal

    def get(self, digest: str) -> Principal | None:
        """Who came with a token, as their newest one said."""
        self._align()
        return self._known.get(digest)

    def recall(self, key: str, team: str, digest: str) -> Principal | None:
        """Who began a run before the process was started: with the least that they must have had."""
        spec = self.trusted()
        if spec is None or digest != digest_of(spec.issuer, key.removeprefix(PREFIX)):
            return None
        return Principal(key, team, digest, frozenset({"chat"}), spec.agents, spec.tools, spec.profile)


def principal_of(claims: Mapping[str, Any], spec: Oidc) -> Principal:
    """The principal that the claims stand for: scopes by the table alone, the team as it is named."""
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST or not subject.isprintable():
        raise Unauthenticated("the token names nobody (sub)", code="invalid_token")
    granted = frozenset(scope for each in _words(claims, spec.scope_claim) for scope in spec.scopes.get(each, ()))
    team = _value(claims, spec.team_claim) if spec.team_claim is not None else None
    if spec.team_claim is not None and not (isinstance(team, str) and team and len(team) <= _LONGEST):
        raise Unauthenticated(f"the token names no team ({spec.team_claim})", code="invalid_token")
    return Principal(
        f"{PREFIX}{subject}", str(team) if team is not None else spec.team, digest_of(spec.issuer, subject), granted,
        spec.agents, spec.tools, spec.profile, float(claims["exp"]),
    )  # fmt: skip


def digest_of(issuer: str, subject: str) -> str:
    """What stands in the place of a key's digest."""
    return sha256(f"{issuer}\n{subject}".encode("utf-8", "surrogatepass")).hexdigest()


def _words(claims: Mapping[str, Any], name: str) -> list[str]:
    """The claim as words: a list, or a text with spaces between (RFC 8693 §4.2)."""
    held = _value(claims, name)
    if isinstance(held, str):
        return held.split()
    return [each for each in held if isinstance(each, str)] if isinstance(held, list) else []


def _value(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this name, or what stands at it as a path with dots."""
    if name in claims:
        return claims[name]
    held: Any = claims
    for part in name.split("."):
        held = held.get(part) if isinstance(held, Mapping) else None
    return held
