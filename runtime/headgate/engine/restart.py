"""Keys of `gateway.toml` that take effect only when the process starts again: which of them changed since it did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headgate.compile.draft import Draft
from headgate.compile.schema import restart_keys
from headgate.compile.specs import Gateway
from headgate.core.kind import Finding, Key, Spec
from headgate.manifest.diagnostics import Diagnostic

KEYS = restart_keys()
"""The keys, tables as a whole, that the schema marks `x-reload: restart`."""


def changed_keys(booted: Gateway, now: Gateway) -> list[Key]:
    """The keys below `KEYS` that have another value now."""
    return [each for key in KEYS for each in _differences(key, _at(booted, key), _at(now, key))]


def warn(booted: Gateway | None, draft: Draft) -> Iterator[Diagnostic]:
    """HG1403 for each changed key, where it stands."""
    if booted is None or draft.gateway is None or draft.gateway_site is None:
        return
    for key in changed_keys(booted, draft.gateway):
        message = f"{dotted(key)} changed and takes effect after a restart"
        hint = "start the gateway again, or undo the change"
        yield from draft.gateway_site.diagnose(Finding(key, "HG1403", message, hint, severity="warning"))


def dotted(key: Key) -> str:
    """The key as people write it."""
    return ".".join(map(str, key))


def _at(spec: Any, key: Key) -> Any:
    for part in key:
        spec = getattr(spec, str(part))
    return spec


def _differences(key: Key, before: Any, now: Any) -> Iterator[Key]:
    if before == now:
        return
    if not isinstance(before, Spec):
        yield key
        return
    for name in type(before).model_fields:
        yield from _differences((*key, name), getattr(before, name), getattr(now, name))
