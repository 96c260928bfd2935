"""Rules of agents: their tools, their limits, their prompts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headgate.compile.draft import AgentSource, Draft, diagnose_prompt
from headgate.compile.naming import check_names, unknown
from headgate.compile.prompt import check_prompt
from headgate.compile.specs import Profile
from headgate.core.kind import Finding
from headgate.manifest.diagnostics import Diagnostic

Located = Iterator[Diagnostic]


_SCALED = ("max_turns", "timeout", "budget_usd")


def check_default_agent(draft: Draft) -> Located:
    """The default agent exists; without one there must be just one agent."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    name = draft.gateway.default_agent
    if name is not None and name not in draft.agent_names:
        yield draft.gateway_site.diagnose(unknown("agent", name, draft.agent_names, ("default_agent",)))
    elif name is None and len(draft.agent_names) > 1 and "default_agent" not in draft.gateway_site.body:
        hint = f"choose one of: {', '.join(sorted(draft.agent_names))}"
        yield draft.gateway_site.diagnose(
            Finding((), "HG1005", "missing key 'default_agent': there are several agents", hint)
        )


def check_agents_exist(draft: Draft) -> Located:
    """A tree without an agent serves nobody."""
    if draft.gateway_site is not None and not draft.agent_names:
        yield draft.gateway_site.diagnose(Finding((), "HG1201", "the tree has no agent", "add agents/<name>.md"))


def check_agent_tools(draft: Draft) -> Located:
    """Tools that agents name exist."""
    for agent in draft.agents.values():
        if agent.spec is None:
            continue
        for finding in check_names("tool", agent.spec.tools, draft.tool_names, ("tools",)):
            yield agent.site.diagnose(finding)
        shapes: dict[str, Any] = {"channels": agent.spec.channels, "profiles": agent.spec.profiles}
        for table, entries in shapes.items():
            for name, entry in entries.items():
                for finding in check_names("tool", entry.tools_deny, draft.tool_names, (table, name, "tools_deny")):
                    yield agent.site.diagnose(finding)


def check_profiles(draft: Draft) -> Located:
    """Profiles only tighten, and keys name profiles that some agent has."""
    profiles: set[str] = set()
    for agent in draft.agents.values():
        for name, profile in (agent.spec.profiles if agent.spec else {}).items():
            profiles.add(name)
            yield from _loosened(agent, name, profile)
    for name, key in (draft.gateway.auth.keys if draft.gateway else {}).items():
        if key.profile is not None and key.profile not in profiles and draft.gateway_site:
            at = ("auth", "keys", name, "profile")
            yield draft.gateway_site.diagnose(unknown("profile", key.profile, profiles, at))


def _loosened(agent: AgentSource, name: str, profile: Profile) -> Located:
    for field in _SCALED:
        own, stricter = getattr(agent.spec, field), getattr(profile, field)
        if stricter is not None and own is not None and stricter > own:
            message = f"profile {name!r} raises {field} above the agent's own"
            yield agent.site.diagnose(
                Finding(("profiles", name, field), "HG1401", message, "a profile may only tighten")
            )


def check_limits(draft: Draft) -> Located:
    """No agent goes beyond the gateway's limits."""
    if draft.gateway is None:
        return
    turns = draft.gateway.limits.turns
    for agent in draft.agents.values():
        if agent.spec and agent.spec.max_turns > turns and "max_turns" in agent.spec.model_fields_set:
            message = f"max_turns is {agent.spec.max_turns}, and [limits] turns is {turns}"
            yield agent.site.diagnose(Finding(("max_turns",), "HG1401", message, "an agent may only be stricter"))


def check_prompts(draft: Draft) -> Located:
    """Placeholders of prompts stand for something."""
    for agent in draft.agents.values():
        for offset, finding in check_prompt(agent.prompt, draft.fragments, agent.spec):
            yield diagnose_prompt(agent.site.document, offset, finding)
    for document, text in draft.fragments.values():
        for offset, finding in check_prompt(text, draft.fragments, None):
            yield diagnose_prompt(document, offset, finding)
