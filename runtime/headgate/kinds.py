"""Gathers the families of this build."""

from __future__ import annotations

from headgate.core.kind import Kinds
from headgate.interceptors import INTERCEPTORS
from headgate.mcp.kind import KIND as SERVER
from headgate.providers import PROVIDERS
from headgate.secrets import SECRETS
from headgate.tools import TOOLS

DEFAULT_KINDS = Kinds(providers=PROVIDERS, tools=TOOLS, secrets=SECRETS, interceptors=INTERCEPTORS, server=SERVER)
