"""Compiles a tree together with its secrets: the back-ends that it declares are opened, and asked for what it names."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from headgate.compile.aside import Spare, spares_none
from headgate.compile.compiler import Compiled, Compiler
from headgate.compile.decode import touches
from headgate.compile.draft import Draft, Item
from headgate.compile.lookup import TABLE, Answers, Refusal
from headgate.compile.overlay import NO_OVERLAY, Overlay
from headgate.compile.resources import HTTP, Identity, Resource
from headgate.core.errors import GatewayError
from headgate.core.kind import Env, Kinds, Scope
from headgate.core.ports import SecretBackend, SecretValue
from headgate.manifest.redaction import Redactor
from headgate.manifest.tree import Tree
from headgate.net.client import open_client
from headgate.net.egress import Egress
from headgate.secrets.reference import SecretRef, fetch

_ROUNDS = 3
"""Passes after the first: what a tree names may depend on a secret, but hardly twice."""

Factory = Callable[[], AbstractAsyncContextManager[Any]]


class Keyring:
    """Compiles again and again; a back-end stays open, with what it keeps, as long as its table says the same.

    One call at a time. Leaving the context closes every back-end.
    """

    def __init__(self, compiler: Compiler, environ: Mapping[str, str]) -> None:
        self._compiler = compiler
        self._environ = environ
        self._answers: Answers = {}
        self._open: dict[Identity, Resource] = {}
        self._failed: dict[str, Refusal] = {}

    async def __aenter__(self) -> Keyring:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.forget()

    async def compile(
        self,
        tree: Tree | None = None,
        *,
        kept: bool = False,
        overlay: Overlay = NO_OVERLAY,
        ask: bool = True,
        spare: Spare = spares_none,
    ) -> Compiled:
        """Like `Compiler.compile`, with the secrets as they are now; one that cannot be had is a finding.

        Unless it is to `ask`, those that are known already do: a back-end that is down is then in nobody's way.
        """
        compiled = await self._pass(tree, kept=kept, overlay=overlay, spare=spare)
        if not ask and all(isinstance(self._answers.get(each), str) for each in compiled.draft.wanted_secrets):
            return compiled
        for _ in range(_ROUNDS):
            answers = await self._ask(compiled.draft)
            if answers == self._answers:
                break
            self._answers = answers
            compiled = await self._pass(compiled.draft.tree, kept=kept, overlay=overlay, spare=spare)
        return compiled

    async def changed(self) -> bool:
        """Whether a back-end says something else now than when the tree was last compiled."""
        return bool(self._answers) and await self._fetched(self._answers) != self._answers

    async def forget(self) -> None:
        """Closes every back-end, so that the next compile asks for everything anew."""
        self._failed = {}
        while self._open:
            _, resource = self._open.popitem()
            await resource.close()

    async def _pass(self, tree: Tree | None, **given: Any) -> Compiled:
        return await asyncio.to_thread(self._compiler.compile, tree, answers=self._answers, **given)

    async def _ask(self, draft: Draft) -> Answers:
        if draft.wanted_secrets:
            await self._align(draft)
        else:
            await self.forget()
        return await self._fetched(draft.wanted_secrets)

    async def _fetched(self, refs: Mapping[SecretRef, Any] | set[SecretRef]) -> Answers:
        backends: dict[str, SecretBackend] = {
            name: each.value for (family, name), each in self._open.items() if family == TABLE
        }
        found = await fetch(backends, [ref for ref in refs if ref.backend in backends])
        refused = {ref: self._failed.get(ref.backend, Refusal()) for ref in refs if ref.backend not in backends}
        return {**refused, **{ref: _answer(ref, each) for ref, each in found.items()}}

    async def _align(self, draft: Draft) -> None:
        """Opens what the tree needs and is not open yet, and closes what it says no more."""
        allow = draft.gateway.egress.allow if draft.gateway else ()
        base = _hash(["egress", *allow])
        named = {ref.backend for ref in draft.wanted_secrets}
        sound = {name: item for name, item in draft.backends.items() if name in named and _is_sound(item)}
        wanted = {HTTP: base} | {(TABLE, name): _hash([base, each.fingerprint]) for name, each in sound.items()}
        for identity in [each for each, held in self._open.items() if wanted.get(each) != held.fingerprint][::-1]:
            await self._open.pop(identity).close()
        self._failed = {}
        await self._enter(HTTP, base, partial(open_client, Egress(allow)))
        for name, item in sound.items():
            await self._enter((TABLE, name), wanted[TABLE, name], partial(self._backend, draft, item))

    async def _enter(self, identity: Identity, fingerprint: str, factory: Factory) -> None:
        if identity in self._open:
            return
        resource = self._open[identity] = Resource(identity, fingerprint)
        try:
            await resource.open(factory)
        except GatewayError as error:
            await self._open.pop(identity).close()
            self._failed[identity[1]] = Refusal("HG1107", f"secret back-end '{identity[1]}': {error.message}")

    def _backend(self, draft: Draft, item: Item) -> AbstractAsyncContextManager[Any]:
        env = Env(
            name=item.name,
            http=self._open[HTTP].value,
            read=draft.tree.files.__getitem__,
            environ=self._environ,
            scrub=Redactor(draft.secrets).scrub,
        )
        return item.open(env)


async def compile_tree(
    root: Path,
    kinds: Kinds,
    environ: Mapping[str, str],
    *,
    skip_environment: bool = False,
    overlay: Overlay = NO_OVERLAY,
    spare: Spare = spares_none,
) -> Compiled:
    """Compiles the tree at `root` once, with its secrets unless the environment is left out."""
    compiler = Compiler(root, kinds, environ, skip_environment=skip_environment)
    if skip_environment:
        return await asyncio.to_thread(compiler.compile, overlay=overlay, spare=spare)
    async with Keyring(compiler, environ) as keyring:
        return await keyring.compile(overlay=overlay, spare=spare)


def _is_sound(item: Item) -> bool:
    """Whether nothing was found in the table, so that it can be opened."""
    if item.kind is None or item.spec is None or touches(item.site.silent, item.site.key):
        return False
    return not list(item.kind.check(item.spec, Scope(item.name)))


def _answer(ref: SecretRef, found: SecretValue | GatewayError) -> str | Refusal:
    if isinstance(found, SecretValue):
        return found.value
    return Refusal("HG1106" if found.code == "secret_not_found" else "HG1107", f"secret '{ref}': {found.message}")


def _hash(value: Any) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()
