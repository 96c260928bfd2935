"""Folds a draft and its open objects into plans: models with retries and fallbacks, tools with their checks, once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.validators import validator_for
from referencing import Registry

from headgate.compile.acceptance import accepts
from headgate.compile.applied import Applied, model_chain, plain, tool_chain
from headgate.compile.books import book_of
from headgate.compile.candidates import candidates
from headgate.compile.catalog import Catalog
from headgate.compile.draft import AgentSource, Draft
from headgate.compile.naming import find_model
from headgate.compile.offer import offered, servers_of
from headgate.compile.plan import AgentPlan, BoundTool, ModelChoice, Models, Violations
from headgate.compile.prompt import compile_prompt
from headgate.compile.specs import Agent
from headgate.core.context import ToolContext
from headgate.core.errors import GatewayError
from headgate.core.glob import is_glob, matching
from headgate.core.messages import ErrorInfo, ToolCall, ToolResult
from headgate.core.passage import Deferred
from headgate.core.ports import Provider, Tool, ToolNext, ToolServer
from headgate.providers.attempts import Attempts

_SHOWN_VIOLATIONS = 5


Bound = Mapping[str, tuple[Tool, BoundTool]]
"""Tools by name, each with what was made of it."""


def bind_all(tools: Mapping[str, Tool], before: Bound) -> Bound:
    """All tools with their argument checks; those of a tool that was there `before`, with the same definition, are
    not made again."""
    return {name: _kept(tool, before.get(name)) or (tool, bind(tool)) for name, tool in tools.items()}


def _kept(tool: Tool, before: tuple[Tool, BoundTool] | None) -> tuple[Tool, BoundTool] | None:
    same = before is not None and before[0] is tool and before[1].definition is tool.definition
    return before if same else None


def _unseen(_validator: Any, _wanted: Any, _instance: Any, _schema: Any) -> Iterator[Any]:
    """A keyword that is left to the server."""
    return iter(())


_UNSEEN = {"pattern": _unseen, "patternProperties": _unseen}


def fold_agents(
    draft: Draft, providers: Mapping[str, Provider], catalog: Catalog, applied: Sequence[Applied] = (),
    *, servers: Mapping[str, ToolServer] | None = None, bound: Bound | None = None,
) -> dict[str, AgentPlan]:  # fmt: skip
    """All plans of a draft without errors; the interceptors are in the order of the file. `bound` are the tools of the
    catalog when they are made already."""
    bound = bind_all(catalog.all, {}) if bound is None else bound
    fold = _Fold(draft, providers, catalog, applied, servers=servers or {}, bound=bound)
    return {name: fold.agent(source) for name, source in sorted(draft.agents.items())}


def bind(tool: Tool) -> BoundTool:
    """A tool with its argument check, without interceptors."""
    definition, timeout = tool.definition, tool.timeout
    violations = violations_of(definition.input_schema, foreign=definition.server is not None)
    receive = getattr(tool, "receive", None)  # of a `ClientTool`; asking for the protocol takes longer than all this
    if receive is not None:
        return BoundTool(definition, violations, _deferred, timeout, receive)
    return BoundTool(definition, violations, _call(tool), timeout)


async def _deferred(wanted: ToolCall, ctx: ToolContext) -> ToolResult:
    """What the caller's front end has answered, or the signal that it has to be asked."""
    answer = ctx.passage.take()
    if answer is None:
        raise Deferred(wanted)
    return answer


def _call(tool: Tool) -> ToolNext:
    """A call that answers its deliberate failures too, so that interceptors see them as the model does."""

    async def call(wanted: ToolCall, ctx: ToolContext) -> ToolResult:
        try:
            return await tool.call(dict(wanted.args or {}), ctx)
        except GatewayError as error:
            info = ErrorInfo(error.code, error.message, error.retryable, error.details)
            return ToolResult(status="error", error=info)

    return call


def violations_of(schema: Mapping[str, Any], *, foreign: bool = False) -> Violations:
    """A check that says, in words for a model, how arguments violate the schema.

    A `foreign` schema was written by somebody who is not trusted: nothing is fetched for it, its regular expressions
    are left to the server, because they may take for ever, and it may be of an older draft.
    """
    kind = validator_for(schema, default=Draft202012Validator) if foreign else Draft202012Validator
    if foreign:
        kind = validators.extend(kind, _UNSEEN)  # type: ignore[no-untyped-call]
    validator = kind(schema, format_checker=Draft202012Validator.FORMAT_CHECKER, registry=Registry())

    quickly = accepts(schema)

    def violations(args: dict[str, Any]) -> list[str]:
        if (quickly is not None and quickly(args)) or validator.is_valid(args):
            return []
        errors = sorted(validator.iter_errors(args), key=lambda each: list(map(str, each.absolute_path)))
        return [_sentence(each) for each in errors[:_SHOWN_VIOLATIONS]]

    return violations


def _sentence(error: Any) -> str:
    where = ".".join(map(str, error.absolute_path))
    message = error.message if len(error.message) <= 300 else error.message[:300] + "..."
    return f"{where}: {message}" if where else message


class _Fold:
    """Builds plans against one set of open objects."""

    def __init__(
        self, draft: Draft, providers: Mapping[str, Provider], catalog: Catalog, applied: Sequence[Applied],
        *, servers: Mapping[str, ToolServer], bound: Bound,
    ) -> None:  # fmt: skip
        self._draft = draft
        self._providers = providers
        self._tools = {name: each for name, (_, each) in bound.items()}
        self._catalog = catalog
        self._servers = servers
        self._agents = [each.spec for each in draft.agents.values() if each.spec is not None]
        self._applied = applied
        self._behind: dict[tuple[str, tuple[str, ...]], BoundTool] = {}
        self._book = book_of(draft)

    def agent(self, source: AgentSource) -> AgentPlan:
        """The plan of one agent."""
        spec = source.spec
        if spec is None:
            raise ValueError(f"agent {source.name} has no spec")
        mine = servers_of(spec, self._agents, self._draft.served)
        served = {name: (self._draft.served[name], list(self._catalog.served.get(name, ()))) for name in mine}
        names = offered(spec.tools, self._catalog.own, served)
        own = [each for each in self._applied if each.for_agent(source.name)]
        context = {path: self._draft.tree.files[path].decode("utf-8", "replace") for path in spec.context}
        limits = self._draft.gateway.limits if self._draft.gateway else None
        turns = min(spec.max_turns, limits.turns) if limits else spec.max_turns
        around = [each for each in own if each.for_models]
        choice = self._choice(spec.model, spec.fallback, around)
        return AgentPlan(
            name=source.name,
            spec=spec.model_copy(update={"max_turns": turns}),
            prompt=compile_prompt(source.prompt, self._draft.fragments, context),
            choice=choice,
            models=self._models(spec, choice, around),
            tools={name: self._tool(name, own) for name in names},
            input_violations=violations_of(spec.input) if spec.input else None,
            approvals=self._book.of(spec),
            servers=tuple(self._servers[name] for name in mine if name in self._servers),
        )

    def _tool(self, name: str, applied: Sequence[Applied]) -> BoundTool:
        """The tool behind the interceptors that stand around it; shared by the agents that have the same ones."""
        own = [each for each in applied if each.for_tool(name)]
        if not own:
            return self._tools[name]
        key = (name, tuple(each.name for each in own))
        if key not in self._behind:
            bare = self._tools[name]
            self._behind[key] = replace(bare, call=tool_chain(own, bare.definition, bare.call, bare.violations))
        return self._behind[key]

    def _choice(self, reference: str | None, fallback: Iterable[str], around: Sequence[Applied]) -> ModelChoice:
        targets = [find_model(reference, self._draft), *(find_model(name, self._draft) for name in fallback)]
        asked = candidates(self._draft, self._providers, [target for target in targets if target is not None])
        first = self._providers[asked[0][0]]
        stream = model_chain(around, plain(Attempts([each for _, each in asked]).stream))
        return ModelChoice(asked[0][1].model, stream, first.demo)

    def _models(self, spec: Agent, own: ModelChoice, around: Sequence[Applied]) -> Models:
        """What a request may ask for: the agent's own models by every name they have, and its provider's allow list."""
        reference, fallback = spec.model, spec.fallback
        out = {own.model: own} | ({reference: own} if reference else {})
        for name in fallback:
            choice = self._choice(name, (), around)
            out |= {name: choice, choice.model: choice}
        target = find_model(reference, self._draft)
        allowed = self._draft.providers[target.provider].spec.allow_models if target is not None else ()

        def of(model: str) -> ModelChoice:
            return self._choice(f"{target.provider}/{model}" if target else model, fallback, around)

        for model in allowed:
            if not is_glob(model):
                out.setdefault(model, of(model))
        globs = [each for each in allowed if is_glob(each)]
        return Models(out, lambda name: of(name) if matching(globs, [name]) else None)
