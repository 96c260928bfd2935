"""A run is followed from any event on, as often as one likes, and told exactly once to each follower."""

from __future__ import annotations

import asyncio

import pytest

from headgate.testing.harness import live
from tests import workshop
from tests.conftest import Tree
from tests.server.native import HELD, Caller, Frame, at_gate, lasting, settled, spoken, taken
from tests.waiting import until

WHOLE = [
    "run.started", *["text.delta"] * 4, "message.completed", "tool.started", "tool.completed", *["text.delta"] * 3,
    "message.completed", "run.completed",
]  # fmt: skip


async def test_a_run_from_its_first_event_on(tree: Tree) -> None:
    """Every event has its id, its type, and the members that all share."""
    async with live(tree(HELD), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        workshop.gate("held").set()
        told = await caller.told(run)
    assert [each.event for each in told] == WHOLE
    assert spoken(told) == "one two three fourfive six seven"
    assert {each.data["run"] for each in told} == {run}
    assert all({"step", "path", "at"} <= each.data.keys() for each in told)
    assert [each.id for each in told] == [f"1-{n + 1}" for n in range(len(told))]
    assert told[7].data["result"] == {"status": "ok", "content": told[7].data["result"]["content"],
                                      "structured": None, "error": None}  # fmt: skip
    assert told[-1].data["outcome"] == "success"


async def test_resumed_in_the_middle_of_deltas(tree: Tree) -> None:
    """Who connects again with the last id that it saw gets what comes behind it, and nothing twice."""
    async with live(tree(HELD), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        async with caller.follow(run) as events:
            seen = await taken(gateway, events, 3)
        assert seen[-1].event == "text.delta"
        await at_gate("held")
        async with caller.follow(run, **{"last-event-id": seen[-1].id}) as events:
            seen += await taken(gateway, events, 3)
            workshop.gate("held").set()
            seen += [event async for event in events]
        again = await caller.told(run)
    assert [each.event for each in seen] == WHOLE
    assert lasting(seen) == lasting(again)


@pytest.mark.parametrize("place", range(0, len(WHOLE) + 1, 3))
async def test_resumed_after_the_end(tree: Tree, place: int) -> None:
    """From every place on, an ended run is told as it was, the deltas of committed messages too."""
    async with live(tree(HELD), watch=False) as gateway:
        caller = Caller(gateway)
        workshop.gate("held").set()
        run = await caller.begin()
        whole = await caller.told(run)
        await settled(gateway)
        rest = await caller.told(run, f"1-{place}")
    assert lasting(rest) == lasting(whole[place:])


async def test_resumed_after_a_restart(tree: Tree) -> None:
    """A run that was cut off goes on in the next process, and its followers miss nothing of what they can see."""
    root = tree(HELD, files={"tools/wait.yaml": "kind: function\ndescription: Waits.\ncall: tests.workshop:wait\n"
                                               "annotations: {idempotent: true}\n"})  # fmt: skip
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        await at_gate("held")
        async with caller.follow(run) as events:
            seen = await taken(gateway, events, 3)
    workshop.gate("held").set()
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        seen += await caller.told(run, seen[-1].id)
        again = await caller.told(run)
    assert [each.event for each in seen if each.event != "run.resumed"] == WHOLE
    assert [each.data["reason"] for each in seen if each.event == "run.resumed"] == ["recovered"]
    assert len({each.id for each in seen}) == len(seen)
    assert lasting(seen) == lasting(again)
    assert seen[-1].id.startswith("2-")


async def test_a_stream_that_breaks_off(tree: Tree) -> None:
    """When the process stops, the stream ends after a comment and without a terminal event: the run is not over."""
    root = tree(HELD)
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        await at_gate("held")
        path = f"/v1/runs/{run}/events"
        headers = {**caller.headers, "accept": "text/event-stream"}
        reading = asyncio.create_task(gateway.http.get(path, headers=headers))
        await until(lambda: gateway.gateway.edge.host.streams.count("tester"))
        await gateway.gateway.edge.host.stop(0)
        text = (await reading).text
    *_, last, end = text.split("\n\n")
    assert (last.split(":")[:2], end) == (["", " stopping"], "")
    assert "event: run.completed" not in text
    assert "event: run.cancelled" not in text


async def test_several_viewers(tree: Tree) -> None:
    """Who comes early, late or leaves in between changes nothing for the others."""
    async with live(tree(HELD), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        early = [asyncio.create_task(caller.told(run)) for _ in range(3)]
        await at_gate("held")
        async with caller.follow(run) as events:
            await taken(gateway, events, 2)
        late = [asyncio.create_task(caller.told(run)) for _ in range(3)]
        await until(lambda: gateway.gateway.edge.host.streams.count("tester") == 6)
        workshop.gate("held").set()
        first, *others = [await each for each in (*early, *late)]
        assert gateway.gateway.edge.host.streams.count("tester") == 0
    assert [each.event for each in first] == WHOLE
    assert all(lasting(each) == lasting(first) for each in others)


@pytest.mark.parametrize("wrong", ["x", "1", "1-", "-1", "1-2-3", "1-x", "9" * 50, "१-१"])
async def test_ids_that_are_none(tree: Tree, wrong: str) -> None:
    """An id of another form is refused, wherever it stands."""
    async with live(tree(), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        assert await caller.code("GET", f"/v1/runs/{run}/events?after={wrong}") == (422, "invalid_event_id")
        if wrong.isascii():
            answer = await caller.send("GET", f"/v1/runs/{run}/events", **{"last-event-id": wrong})
            assert answer.json()["error"]["code"] == "invalid_event_id"


async def test_the_header_goes_before_the_address(tree: Tree) -> None:
    """A browser that connects again sends the address it was given and the id it has come to."""
    async with live(tree(), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        whole = await caller.told(run)
        async with caller.follow(run, "1-1", **{"last-event-id": "1-3"}) as events:
            rest = [event async for event in events]
    assert lasting(rest) == lasting(whole[3:])


async def test_events_as_pages(tree: Tree) -> None:
    """Without a stream the same events come in pages, and `next` is null when nothing more will."""
    async with live(tree(HELD), watch=False) as gateway:
        caller = Caller(gateway)
        workshop.gate("held").set()
        run = await caller.begin()
        whole = await caller.told(run)
        items, after = [], "0-0"
        while after is not None:
            page = await caller.ask("GET", f"/v1/runs/{run}/events?limit=4&after={after}")
            items, after = items + page["items"], page["next"]
    assert lasting([Frame(**each) for each in items]) == lasting(whole)


async def test_the_page_of_a_run_that_goes_on(tree: Tree) -> None:
    """As long as the run has not ended there is a place to ask on from, also when nothing came."""
    async with live(tree(HELD), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        await at_gate("held")
        page = await caller.ask("GET", f"/v1/runs/{run}/events")
        again = await caller.ask("GET", f"/v1/runs/{run}/events?after=1-999")
        workshop.gate("held").set()
    assert page["next"] == page["items"][-1]["id"]
    assert again == {"items": [], "next": "1-999"}


async def test_a_silent_stream_is_kept_alive(tree: Tree) -> None:
    """While nothing happens, comments show that the stream is alive."""
    async with live(tree(HELD), watch=False, keepalive=0.02) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        headers = {**caller.headers, "accept": "text/event-stream"}
        alive = 0
        async with gateway.http.stream("GET", f"/v1/runs/{run}/events", headers=headers) as answer:
            async for line in answer.aiter_lines():
                alive += line == ": alive"
                if alive == 2:
                    workshop.gate("held").set()
    assert alive >= 2
