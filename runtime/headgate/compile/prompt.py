"""System prompts: Markdown with `{{ path }}` slots and included fragments, checked when the tree is loaded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from headgate.compile.decode import covers
from headgate.compile.specs import Agent
from headgate.core.kind import Finding, Key
from headgate.expressions.template import MISSING, Slot, Template, as_text, lookup, pieces
from headgate.manifest.diagnostics import suggest
from headgate.manifest.source import Document
from headgate.tools.schema import find_dead_end

Fragments = Mapping[str, tuple[Document, str]]
INCLUDE = "include:"
_LITERAL = "for a literal {{, put a space between the braces"
PROMPT_SCOPE: Mapping[str, tuple[str, ...]] = {
    "today": (),
    "now": (),
    "channel": (),
    "agent": ("name", "description", "display_name", "tags"),
    "session": ("id", "team", "key", "channel"),
}
"""What a prompt may name, besides `input.*` and `include:NAME`."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt with its fragments in place; what is absent renders as nothing."""

    parts: tuple[str | Slot, ...]
    appended: tuple[str, ...] = ()

    def extended(self, texts: list[str]) -> Prompt:
        """The prompt with more paragraphs at its end."""
        return Prompt(self.parts, (*self.appended, *texts)) if texts else self

    def render(self, scope: Mapping[str, Any]) -> str:
        """The text that the model gets."""
        text = "".join(part if isinstance(part, str) else _shown(lookup(scope, part.steps)) for part in self.parts)
        return "\n\n".join([text.strip(), *self.appended]).strip()


def _shown(value: Any) -> str:
    return "" if value is MISSING or value is None else as_text(value)


def compile_prompt(text: str, fragments: Fragments, context: Mapping[str, str]) -> Prompt:
    """The prompt of a text that `check_prompt` found nothing in; context files follow, each under its path."""
    files = tuple(f'<document path="{path}">\n{body.strip()}\n</document>' for path, body in context.items())
    return Prompt(tuple(_inlined(text, fragments))).extended(list(files))


def _inlined(text: str, fragments: Fragments) -> Iterator[str | Slot]:
    for part in Template.parse(text).parts:
        if isinstance(part, Slot) and part.path.startswith(INCLUDE):
            yield from _inlined(fragments[part.path.removeprefix(INCLUDE)][1].strip(), fragments)
        else:
            yield part


def check_prompt(
    text: str, fragments: Collection[str], spec: Agent | None = None, silent: Collection[Key] = ()
) -> Iterator[tuple[int, Finding]]:
    """What is wrong in a prompt or fragment, each finding with its offset; `spec` is None for a fragment.

    `silent` are keys of the agent that its spec does not speak for.
    """
    for piece in pieces(text):
        if isinstance(piece, PydanticCustomError):
            yield int((piece.context or {}).get("offset", 0)), Finding((), "HG1301", piece.message(), _LITERAL)
        elif isinstance(piece, Slot):
            include = piece.path.startswith(INCLUDE)
            finding = _include(piece, fragments) if include else _path(piece, spec, silent)
            if finding is not None:
                yield piece.offset, finding


def _include(slot: Slot, fragments: Collection[str]) -> Finding | None:
    name = slot.path.removeprefix(INCLUDE)
    if name in fragments:
        return None
    guess = suggest(name, fragments)
    hint = f"did you mean {guess!r}?" if guess else f"add fragments/{name}.md"
    return Finding((), "HG1201", f"no fragment is called {name!r}", hint)


def circles(fragments: Fragments) -> Iterator[tuple[str, int, Finding]]:
    """Fragments that include each other in a circle: each circle once, at the first of its names."""
    done: set[str] = set()
    for start, (_, text) in sorted(fragments.items()):
        for name, offset in _includes(text):
            way = _way(fragments, name, start, (start,))
            if way and not done & set(way):
                done |= set(way)
                message = f"fragments include each other in a circle: {' -> '.join((*way, start))}"
                yield start, offset, Finding((), "HG1204", message, "remove one of these includes")


def _way(fragments: Fragments, name: str, goal: str, way: tuple[str, ...]) -> tuple[str, ...]:
    """The fragments from the first of `way` on that lead from `name` to `goal`; empty when none do."""
    if name == goal:
        return way
    if name in way or name not in fragments:
        return ()
    inner = (each for each, _ in _includes(fragments[name][1]))
    return next((found for each in inner if (found := _way(fragments, each, goal, (*way, name)))), ())


def included(text: str) -> set[str]:
    """The names of the fragments that a prompt or fragment includes."""
    return {name for name, _ in _includes(text)}


def _includes(text: str) -> list[tuple[str, int]]:
    try:
        slots = Template.parse(text).slots
    except PydanticCustomError:
        return []
    return [(slot.path.removeprefix(INCLUDE), slot.offset) for slot in slots if slot.path.startswith(INCLUDE)]


def _path(slot: Slot, spec: Agent | None, silent: Collection[Key]) -> Finding | None:
    head, rest = str(slot.steps[0]), slot.steps[1:]
    if head == "input":
        return None if spec is None or covers(silent, ("input",)) else _input(slot, spec)
    known = PROMPT_SCOPE.get(head)
    if known is None:
        guess = suggest(head, [*PROMPT_SCOPE, "input"])
        hint = f"did you mean {guess!r}?" if guess else f"known: {', '.join([*PROMPT_SCOPE, 'input', 'include:NAME'])}"
        return Finding((), "HG1302", f"a prompt has no {slot.path!r}", hint)
    if (known and (not rest or rest[0] not in known)) or (not known and rest):
        hint = f"known: {', '.join(f'{head}.{name}' for name in known)}" if known else f"write {{{{ {head} }}}}"
        return Finding((), "HG1302", f"a prompt has no {slot.path!r}", hint)
    return None


def _input(slot: Slot, spec: Agent) -> Finding | None:
    if spec.input is None:
        return Finding((), "HG1302", f"{slot.path!r}: the agent declares no input", "add input: with a JSON Schema")
    dead = find_dead_end(spec.input, slot.steps[1:])
    return Finding((), "HG1302", f"the agent's input has no {slot.path!r}", dead.hint) if dead else None
