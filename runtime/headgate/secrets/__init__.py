"""The kinds of secret back-ends: one leaf a kind; this registry is all that the rest of the gateway knows of them."""

from __future__ import annotations

from typing import Any

from headgate.core.kind import Kind
from headgate.core.ports import SecretBackend
from headgate.secrets import command, env, file, vault

SECRETS: dict[str, Kind[Any, SecretBackend]] = {
    kind.name: kind for kind in (env.KIND, file.KIND, command.KIND, vault.KIND)
}
"""Every secret back-end kind of this build, by its name."""
