"""Rules of use: objects that nobody names, and agents that nobody may see.

They speak only of a tree without errors, because what is misspelt elsewhere may be the very use that is missing here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from headgate.compile.checks.approvals import TABLE as APPROVALS
from headgate.compile.checks.approvals import named_policies
from headgate.compile.decode import touches
from headgate.compile.draft import Draft, Site
from headgate.compile.naming import find_model
from headgate.compile.prompt import included
from headgate.compile.specs import Agent
from headgate.core.glob import covers, matching
from headgate.core.kind import Finding, Key
from headgate.manifest.diagnostics import Diagnostic

Located = Iterator[Diagnostic]

_NOUNS = {"models": "model alias", "providers": "provider", "secrets": "secret back-end"}


def check_unused(draft: Draft) -> Located:
    """Tools, fragments, providers, aliases and secret back-ends that nothing names."""
    tools = {name: item.site for name, item in draft.tools.items()}
    fragments = {name: Site(document) for name, (document, _) in draft.fragments.items()}
    yield from _report(tools, _named_tools(draft), "tool", "name it in tools: of an agent, or remove the file")
    yield from _report(fragments, _included(draft), "fragment", "include it in a prompt, or remove the file")
    if draft.gateway is None or draft.gateway_site is None:
        return
    named = {**_named_models(draft), "secrets": {each.backend for each in draft.wanted_secrets}}
    for table, names in named.items():
        for name in sorted(draft.declared(table) - names):
            finding = _unused(_NOUNS[table], name, "name it somewhere, or remove it", (table, name))
            yield from draft.gateway_site.diagnose(finding)


def _report(sites: Mapping[str, Site], used: Collection[str], noun: str, hint: str) -> Located:
    for name, site in sites.items():
        if name not in used:
            yield from site.diagnose(_unused(noun, name, hint))


def _unused(noun: str, name: str, hint: str, key: Key = ()) -> Finding:
    return Finding(key, "HG1205", f"{noun} {name!r} is never used", hint, severity="warning")


def _named_tools(draft: Draft) -> set[str]:
    if _hidden(draft, "tools"):
        return set(draft.tools)
    return {name for spec in _specs(draft) for name in matching(spec.tools, draft.tools)}


def _specs(draft: Draft) -> list[Agent]:
    return [agent.spec for agent in draft.agents.values() if agent.spec is not None]


def _hidden(draft: Draft, *keys: str) -> bool:
    """Whether what an agent says at one of the keys is known only with the environment."""
    return any(touches(agent.site.silent, (key,)) for agent in draft.agents.values() for key in keys)


def _included(draft: Draft) -> set[str]:
    texts = [agent.prompt for agent in draft.agents.values()] + [text for _, text in draft.fragments.values()]
    return {name for text in texts for name in included(text)}


def _named_models(draft: Draft) -> dict[str, set[str]]:
    """The aliases and the providers that something names; an agent that names none means the default."""
    aliases = draft.gateway.models if draft.gateway else {}
    if _hidden(draft, "model", "fallback") or not (draft.knows("models") and draft.knows("providers")):
        return {}
    references: list[str | None] = [each for spec in _specs(draft) for each in (spec.model, *spec.fallback)]
    references += [name for item in draft.providers.values() for name in getattr(item.spec, "fallback", ())]
    asking = (*draft.tools.values(), *draft.interceptors.values())
    references += [reference for item in asking for reference in item.models.values()]
    named = {each for each in references if each is not None}
    if None in references:
        named |= set(aliases) if len(aliases) == 1 else {"default"}
    targets = [find_model(each, draft) for each in references]
    providers = {each.provider for each in (*targets, *aliases.values()) if each is not None}
    return {"models": named, "providers": named | providers}


def check_policies_named(draft: Draft) -> Located:
    """Every policy that holds only where it is named is named somewhere."""
    if draft.gateway is None or draft.gateway_site is None or _hidden(draft, APPROVALS, "profiles"):
        return
    named = {name for spec in _specs(draft) for _, names in named_policies(spec) for name in names}
    for name, policy in draft.gateway.approvals.items():
        if policy.apply == "named" and name not in named:
            hint = "name it in approvals: of an agent, or remove it"
            yield from draft.gateway_site.diagnose(_unused("approval policy", name, hint, (APPROVALS, name)))


def check_seen(draft: Draft) -> Located:
    """Every agent can be seen with some key."""
    if draft.gateway is None or draft.gateway_site is None or not draft.gateway.auth.keys:
        return
    keys = draft.gateway.auth.keys
    if any(touches(draft.gateway_site.silent, ("auth", "keys", name, "agents")) for name in keys):
        return
    for name, agent in draft.agents.items():
        if not any(covers(pattern, name) for key in keys.values() for pattern in key.agents):
            hint = "add it to the agents of a key in gateway.toml"
            finding = Finding((), "HG1205", f"no key may see agent {name!r}", hint, severity="warning")
            yield from agent.site.diagnose(finding)
