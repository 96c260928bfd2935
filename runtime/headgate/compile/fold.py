"""Folds a draft and its open objects into plans: models with retries and fallbacks, tools with their checks, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema import Draft202012Validator

from headgate.compile.approvals import Book
from headgate.compile.chain import around_model, around_tool
from headgate.compile.draft import AgentSource, Draft
from headgate.compile.naming import ModelTarget, find_model
from headgate.compile.plan import AgentPlan, BoundTool, ModelChoice, Models, Violations
from headgate.compile.prompt import compile_prompt
from headgate.core.context import ToolContext
from headgate.core.glob import is_glob, matching
from headgate.core.messages import ToolCall, ToolResult
from headgate.core.ports import ClientTool, Interceptor, Provider, Tool, ToolNext
from headgate.providers.attempts import Attempts, Candidate

_SHOWN_VIOLATIONS = 5
_NO_INTERCEPTORS: tuple[Interceptor, ...] = ()


def fold_agents(draft: Draft, providers: Mapping[str, Provider], tools: Mapping[str, Tool]) -> dict[str, AgentPlan]:
    """All plans of a draft without errors."""
    bound = {name: bind(tool) for name, tool in tools.items()}
    fold = _Fold(draft, providers, bound)
    return {name: fold.agent(source) for name, source in sorted(draft.agents.items())}


def bind(tool: Tool, interceptors: Iterable[Interceptor] = _NO_INTERCEPTORS) -> BoundTool:
    """A tool with its argument check and its folded call."""
    definition = tool.definition
    return BoundTool(
        definition,
        violations_of(definition.input_schema),
        around_tool(interceptors, _call(tool)),
        tool.timeout,
        tool.receive if isinstance(tool, ClientTool) else None,
    )


def _call(tool: Tool) -> ToolNext:
    async def call(wanted: ToolCall, ctx: ToolContext) -> ToolResult:
        return await tool.call(dict(wanted.args or {}), ctx)

    return call


def violations_of(schema: Mapping[str, Any]) -> Violations:
    """A check that says, in words for a model, how arguments violate the schema."""
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)

    def violations(args: dict[str, Any]) -> list[str]:
        if validator.is_valid(args):
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

    def __init__(self, draft: Draft, providers: Mapping[str, Provider], tools: Mapping[str, BoundTool]) -> None:
        self._draft = draft
        self._providers = providers
        self._tools = tools
        self._book = Book(draft.gateway.approvals if draft.gateway else {})

    def agent(self, source: AgentSource) -> AgentPlan:
        """The plan of one agent."""
        spec = source.spec
        if spec is None:
            raise ValueError(f"agent {source.name} has no spec")
        names = matching(spec.tools, self._tools)
        context = {path: self._draft.tree.files[path].decode("utf-8", "replace") for path in spec.context}
        limits = self._draft.gateway.limits if self._draft.gateway else None
        turns = min(spec.max_turns, limits.turns) if limits else spec.max_turns
        choice = self._choice(spec.model, spec.fallback)
        return AgentPlan(
            name=source.name,
            spec=spec.model_copy(update={"max_turns": turns}),
            prompt=compile_prompt(source.prompt, self._draft.fragments, context),
            choice=choice,
            models=self._models(spec.model, spec.fallback, choice),
            tools={name: self._tools[name] for name in names},
            input_violations=violations_of(spec.input) if spec.input else None,
            approvals=self._book.of(spec),
        )

    def _choice(self, reference: str | None, fallback: Iterable[str]) -> ModelChoice:
        targets = [find_model(reference, self._draft), *(find_model(name, self._draft) for name in fallback)]
        candidates = self._candidates([target for target in targets if target is not None])
        first = self._providers[candidates[0][0]]
        stream = around_model(_NO_INTERCEPTORS, Attempts([each for _, each in candidates]).stream)
        return ModelChoice(candidates[0][1].model, stream, first.demo)

    def _candidates(self, targets: list[ModelTarget]) -> list[tuple[str, Candidate]]:
        """The targets in order, each followed by its provider's own fallbacks; none twice."""
        out: dict[tuple[str, str], Candidate] = {}
        queue = list(targets)
        while queue:
            target = queue.pop(0)
            provider = self._providers[target.provider]
            model = provider.default_model if target.model == "auto" else target.model
            if (target.provider, model) in out:
                continue
            spec = self._draft.providers[target.provider].spec
            out[target.provider, model] = Candidate(provider, model, spec.retry, spec.turn_timeout, target.provider)
            queue[:0] = [self._fallback(name) for name in spec.fallback]
        return [(name, candidate) for (name, _), candidate in out.items()]

    def _fallback(self, name: str) -> ModelTarget:
        return find_model(name, self._draft) or ModelTarget(name, "auto")

    def _models(self, reference: str | None, fallback: tuple[str, ...], own: ModelChoice) -> Models:
        """What a request may ask for: the agent's own models by every name they have, and its provider's allow list."""
        out = {own.model: own} | ({reference: own} if reference else {})
        for name in fallback:
            choice = self._choice(name, ())
            out |= {name: choice, choice.model: choice}
        target = find_model(reference, self._draft)
        allowed = self._draft.providers[target.provider].spec.allow_models if target is not None else ()

        def of(model: str) -> ModelChoice:
            return self._choice(f"{target.provider}/{model}" if target else model, fallback)

        for model in allowed:
            if not is_glob(model):
                out.setdefault(model, of(model))
        globs = [each for each in allowed if is_glob(each)]
        return Models(out, lambda name: of(name) if matching(globs, [name]) else None)
