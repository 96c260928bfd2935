"""Rules of agents: their tools, their limits, their prompts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headgate.compile.draft import AgentSource, Draft, diagnose_prompt
from headgate.compile.naming import unknown
from headgate.compile.offer import check_tools, servers_of
from headgate.compile.prompt import check_prompt, circles
from headgate.compile.specs import Agent, Profile
from headgate.core.kind import Finding
from headgate.core.scalars import duration_text
from headgate.manifest.diagnostics import Diagnostic

Located = Iterator[Diagnostic]

_SCALED = ("max_turns", "timeout", "budget_usd", "budget_tokens")


def check_default_agent(draft: Draft) -> Located:
    """The default agent exists; without one there must be just one agent."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    name, key = draft.gateway.default_agent, ("default_agent",)
    if name is not None and name not in draft.agent_names:
        yield from draft.gateway_site.diagnose(unknown("agent", name, draft.agent_names, key))
    elif name is None and len(draft.agent_names) > 1:
        hint = f"choose one of: {', '.join(sorted(draft.agent_names))}"
        message = "missing key 'default_agent': there are several agents"
        yield from draft.gateway_site.diagnose(Finding(key, "HG1005", message, hint))


def check_agents_exist(draft: Draft) -> Located:
    """A tree without an agent serves nobody."""
    if draft.gateway_site is not None and not draft.agent_names:
        yield from draft.gateway_site.diagnose(
            Finding((), "HG1201", "the tree has no agent", "write one: agents/<name>.md")
        )


def check_agent_tools(draft: Draft) -> Located:
    """Tools that agents name exist."""
    for agent in draft.agents.values():
        if agent.spec is None:
            continue
        mine = servers_of(agent.spec, (each.spec for each in draft.agents.values() if each.spec), draft.served)
        for finding in check_tools(draft, agent.spec.tools, ("tools",), among=mine):
            yield from agent.site.diagnose(finding)
        shapes: dict[str, Any] = {"channels": agent.spec.channels, "profiles": agent.spec.profiles}
        for table, entries in shapes.items():
            for name, entry in entries.items():
                for finding in check_tools(draft, entry.tools_deny, (table, name, "tools_deny")):
                    yield from agent.site.diagnose(finding)


def check_profiles(draft: Draft) -> Located:
    """Profiles only tighten."""
    for agent in draft.agents.values():
        for name, profile in (agent.spec.profiles if agent.spec else {}).items():
            yield from _loosened(agent, name, profile)


def _loosened(agent: AgentSource, name: str, profile: Profile) -> Located:
    for field in _SCALED:
        own, stricter = getattr(agent.spec, field), getattr(profile, field)
        if stricter is not None and own is not None and stricter > own and (field,) not in agent.site.silent:
            body = agent.site.body
            at = agent.site.place((field,))
            said = (
                f"{body[field]} of the agent ({at})" if field in body else f"{_default(field)}, the default of agents"
            )
            message = f"profile {name!r} raises {field} above {said}"
            yield from agent.site.diagnose(
                Finding(("profiles", name, field), "HG1401", message, "a profile may only tighten")
            )


def _default(field: str) -> str:
    default = Agent.model_fields[field].default
    return duration_text(default) if field == "timeout" else str(default)


def check_limits(draft: Draft) -> Located:
    """No agent goes beyond the gateway's limits."""
    if draft.gateway is None or not draft.knows("limits", "turns"):
        return
    turns = draft.gateway.limits.turns
    for agent in draft.agents.values():
        if agent.spec and agent.spec.max_turns > turns and "max_turns" in agent.spec.model_fields_set:
            message = f"max_turns is {agent.spec.max_turns}, but limits.turns ({_place(draft)}) is {turns}"
            yield from agent.site.diagnose(Finding(("max_turns",), "HG1401", message, "an agent may only be stricter"))


def _place(draft: Draft) -> str:
    """Where the limit of turns is stated."""
    site, key = draft.gateway_site, ("limits", "turns")
    stated = site is not None and isinstance(site.body.get("limits"), dict) and "turns" in site.body["limits"]
    return site.place(key) if site is not None and stated else "the default of gateway.toml"


def check_prompts(draft: Draft) -> Located:
    """Placeholders of prompts stand for something, and fragments do not include each other in a circle."""
    for agent in draft.agents.values():
        for offset, finding in check_prompt(agent.prompt, draft.fragment_names, agent.spec, agent.site.silent):
            yield diagnose_prompt(agent.site.document, offset, finding)
    for document, text in draft.fragments.values():
        for offset, finding in check_prompt(text, draft.fragment_names):
            yield diagnose_prompt(document, offset, finding)
    for name, offset, finding in circles(draft.fragments):
        yield diagnose_prompt(draft.fragments[name][0], offset, finding)
