"""What must be true of a ledger, of the tools and of the viewers when all runs of gateways that were killed have ended.

Every rule yields a sentence for each thing that is wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from headgate.core.events import ENDED, ApprovalResolved, RunEnd
from headgate.stores.waits import WaitRecord
from tests.crash.life import Folder
from tests.crash.record import Known, blurred, calls_of, is_delta
from tests.crash.tree import ONCE
from tests.crash.viewer import Seen, heard, seen, view


def faults(
    folder: Folder, now: Mapping[str, Known], kept: list[dict[str, Known]], model: Mapping[str, Known]
) -> Iterator[str]:
    """All that is wrong; `kept` is what the ledger knew after each kill, `model` the undisturbed runs by agent."""
    done: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in folder.lines(folder.journal):
        done[line["run"]].append(line)
    for run, found in now.items():
        before = [each[run] for each in kept if run in each]
        about = f"{found.run.agent} {run}: "
        rules = (_ended(found), _log(found), _nothing_lost(found, before), _tools(found, done[run]))
        yield from (about + wrong for rule in rules for wrong in rule)
        yield from (about + wrong for wrong in _as_undisturbed(found, model[found.run.agent]))
    acknowledged = [line["run"] for line in folder.lines(folder.runs)]
    for run in acknowledged:
        if run not in now:
            yield f"{run} was acknowledged, and is gone"
        else:
            yield from (f"viewer of {run}: {wrong}" for wrong in _viewed(now[run], view(folder.view(run))))
    yield from _answers(folder, {wait.id: wait for found in now.values() for wait in found.waits})


def _ended(found: Known) -> Iterator[str]:
    ends = [event for event in found.events if isinstance(event, RunEnd)]
    if found.run.state not in ENDED:
        yield f"is {found.run.state}"
    if [event.key for event in ends] != [event.key for event in found.events[-1:]]:
        yield f"has {len(ends)} ends, and its log ends with {type(found.events[-1]).__name__}"


def _log(found: Known) -> Iterator[str]:
    keys = [event.key for event in found.events]
    if sorted(set(keys)) != keys:
        yield f"its ids do not increase: {keys}"
    numbers: defaultdict[int, list[int]] = defaultdict(list)
    for fence, n in keys:
        numbers[fence].append(n)
    for fence, each in numbers.items():
        if each != list(range(1, len(each) + 1)):
            yield f"there is a gap under fence {fence}: {each}"
    begun, ended = calls_of(found.events)
    expected = Counter(call.id for message in found.messages for call in message.calls)
    if not begun == ended == expected:
        yield f"calls {dict(expected)} began {dict(begun)} and ended {dict(ended)}"
    asked = Counter(wait.id for wait in found.waits if wait.kind == "approval")
    if Counter(event.id for event in found.events if isinstance(event, ApprovalResolved)) != asked:
        yield f"approvals {dict(asked)} were not resolved once each"
    steps = [step.n for step in found.steps]
    if steps != list(range(1, len(steps) + 1)):
        yield f"its steps are {steps}"


def _nothing_lost(found: Known, before: list[Known]) -> Iterator[str]:
    now = {event.key: event for event in found.events}
    for earlier in before:
        for event in earlier.events:
            if is_delta(event) and event.step in earlier.open_steps:
                continue
            if now.get(event.key) != event:
                yield f"{type(event).__name__} {event.id} was kept, and is {now.get(event.key)}"
        steps = {step.n: step for step in found.steps}
        for step in earlier.steps:
            if steps.get(step.n) != step:
                yield f"step {step.n} was kept, and is {steps.get(step.n)}"
        if found.messages[: len(earlier.messages)] != earlier.messages:
            yield "a message was kept, and is another one"


def _tools(found: Known, done: list[dict[str, Any]]) -> Iterator[str]:
    keys = {step.call_id: f"{found.run.id}:{step.n}" for step in found.steps if step.call_id}
    times = Counter(line["call"] for line in done)
    for line in done:
        if line["key"] != keys[line["call"]]:
            yield f"{line['call']} was made with the key {line['key']}"
    for step in (each for each in found.steps if each.call_id):
        made, retries = times[step.call_id], found.retries[step.call_id or ""]
        if step.name in ONCE and made > 1 + retries:
            yield f"{step.name} {step.call_id} was made {made} times, and {retries} retries were asked for"
        if step.status == "ok" and step.name != "choose" and not made and step.call_id not in found.uncertain:
            yield f"{step.name} {step.call_id} has a result, and was never made"
        if step.status == "denied" and made:
            yield f"{step.name} {step.call_id} was denied, and was made"


def _as_undisturbed(found: Known, model: Known) -> Iterator[str]:
    wanted = blurred(model.script(), found.uncertain, found.run.id)
    if found.script() != wanted:
        yield f"its messages are {found.script()}, not {wanted}"
    if [(step.kind, step.name) for step in found.steps] != [(step.kind, step.name) for step in model.steps]:
        yield f"its steps are {[step.name for step in found.steps]}"
    same = ("state", "outcome", "answer", "turns", *(() if found.uncertain else ("usage", "cost")))
    for name in same:
        if getattr(found.run, name) != getattr(model.run, name):
            yield f"its {name} is {getattr(found.run, name)!r}, not {getattr(model.run, name)!r}"


def _viewed(found: Known, viewed: list[Seen]) -> Iterator[str]:
    keys = [each.key for each in viewed]
    if sorted(set(keys)) != keys:
        yield f"saw {keys}"
    said, problems = heard(viewed)
    yield from problems
    if said != found.run.answer:
        yield f"heard {said!r}, not {found.run.answer!r}"
    saw = {each.key: each for each in viewed}
    told = {event.key: seen(event) for event in found.events}
    for key, each in told.items():
        if saw.get(key) != each:
            yield f"saw {saw.get(key)} instead of {each}"
    last = dict(told)
    for fence, n in saw:
        if (fence, n) not in told and (n <= last.get(fence, 0) or fence == found.run.fence):
            yield f"saw {saw[fence, n]}, which is not in the log"


def _answers(folder: Folder, waits: Mapping[str, WaitRecord]) -> Iterator[str]:
    for line in folder.lines(folder.answers):
        wait = waits.get(line["wait"])
        vote = wait.votes[0].decision if wait and wait.votes else ""
        if line["again"]:
            yield f"{line['wait']} {line['again']}"
        elif wait is None or (wait.state, vote) != (line["state"], line["vote"]):
            yield f"{line['wait']} was answered {line['state']} {line['vote']}, and is {wait}"
