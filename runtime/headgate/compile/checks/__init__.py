"""The rules that need more than one object: one function a rule, all of them run on every draft."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from headgate.compile.checks.agents import (
    check_agent_tools,
    check_agents_exist,
    check_default_agent,
    check_limits,
    check_profiles,
    check_prompts,
)
from headgate.compile.checks.approvals import check_named_policies, check_policies
from headgate.compile.checks.budgets import check_budgets
from headgate.compile.checks.gateway import check_egress, check_retention, check_store
from headgate.compile.checks.interceptors import check_covered, check_interceptors
from headgate.compile.checks.keys import check_key_names, check_keys, check_oidc
from headgate.compile.checks.models import check_asked_models, check_fallback_cycles, check_models
from headgate.compile.checks.objects import check_files, check_kinds, check_own_names
from headgate.compile.checks.prices import check_prices
from headgate.compile.checks.servers import (
    check_agent_servers,
    check_callbacks,
    check_policy,
    check_prefixes,
    check_renamed,
)
from headgate.compile.checks.switches import check_switches
from headgate.compile.checks.teams import check_team_keys
from headgate.compile.checks.unused import check_policies_named, check_seen, check_unused
from headgate.compile.draft import Draft
from headgate.manifest.diagnostics import Diagnostic

Rule = Callable[[Draft], Iterator[Diagnostic]]

CHECKS: tuple[Rule, ...] = (
    check_kinds,
    check_own_names,
    check_default_agent,
    check_agents_exist,
    check_models,
    check_asked_models,
    check_fallback_cycles,
    check_agent_tools,
    check_profiles,
    check_limits,
    check_prices,
    check_budgets,
    check_files,
    check_prompts,
    check_keys,
    check_key_names,
    check_oidc,
    check_switches,
    check_team_keys,
    check_egress,
    check_store,
    check_retention,
    check_policies,
    check_named_policies,
    check_interceptors,
    check_policy,
    check_prefixes,
    check_callbacks,
    check_agent_servers,
    check_renamed,
)
"""Every rule. A new one is a function and its name here."""

LATER: tuple[Rule, ...] = (check_unused, check_policies_named, check_covered, check_seen)
"""Rules that judge only a tree without errors."""
