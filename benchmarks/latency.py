"""Rows about one request at a time: what the gateway adds to it, in time and in CPU."""

from __future__ import annotations

from benchmarks.bench import Bench, Chat, median
from benchmarks.plans import ECHO, EIGHT, ONE, Plan
from benchmarks.rows import Row

_WARM = 30
_ROUNDS = 5


async def _chats(bench: Bench) -> dict[str, Chat]:
    chats = {target.name: await target.open() for target in bench.targets}
    for chat in chats.values():
        for _ in range(_WARM):
            await chat.say(ONE)
            await chat.say(ECHO)
    return chats


async def _times(chats: dict[str, Chat], plan: Plan, count: int) -> dict[str, tuple[float, float]]:
    """Medians of the time to the first delta and to the end, in ms; the targets take turns request by request."""
    first: dict[str, list[float]] = {name: [] for name in chats}
    end: dict[str, list[float]] = {name: [] for name in chats}
    for _ in range(count):
        for name, chat in chats.items():
            reply = await chat.say(plan)
            first[name].append(reply.first)
            end[name].append(reply.end)
    return {name: (median(first[name]) * 1000, median(end[name]) * 1000) for name in chats}


async def first_delta(bench: Bench) -> list[Row]:
    """Added time to the first delta."""
    chats = await _chats(bench)
    times = await _times(chats, ONE, bench.count(600))
    direct = times["direct"][0]
    added = {name: first - direct for name, (first, _) in times.items()}
    whole = {name: end - times["direct"][1] for name, (_, end) in times.items()}
    note = (
        f"the provider itself takes {direct:.2f} ms; to the end of the answer {whole['floor']:.2f} (floor) "
        f"and {whole['headgate']:.2f} ms (Headgate, its last commit included) are added"
    )
    return [Row("ttfd", "added time to first delta", "ms", added["floor"], added["headgate"], 1.4, note=note)]


async def request_cpu(bench: Bench) -> list[Row]:
    """Server CPU of a request with one delta, one request at a time."""
    chats = await _chats(bench)
    seen: dict[str, list[float]] = {target.name: [] for target in bench.servers}
    count = bench.count(300)
    for _ in range(_ROUNDS):
        for target in bench.servers:
            before = target.child.cpu()
            for _ in range(count):
                await chats[target.name].say(ONE)
            seen[target.name].append((target.child.cpu() - before) / count * 1000)
    floor, headgate = median(seen["floor"]), median(seen["headgate"])
    return [Row("cpu", "server CPU per request (one delta)", "ms", floor, headgate, 1.5)]


async def tool_turn(bench: Bench) -> list[Row]:
    """What a turn with one local tool takes beyond a turn without, less the provider's second answer."""
    chats = await _chats(bench)
    count = bench.count(400)
    plain, tool = await _times(chats, ONE, count), await _times(chats, ECHO, count)
    provider = plain["direct"][1]
    more = {name: tool[name][1] - plain[name][1] - provider for name in ("floor", "headgate")}
    whole = {name: tool[name][1] - 2 * provider for name in ("floor", "headgate")}
    note = (
        f"beyond the same turn without a tool, and less the provider's second answer; the whole turn takes "
        f"{whole['floor']:.2f} (floor) and {whole['headgate']:.2f} ms (Headgate) more than both answers"
    )
    return [Row("tool", "overhead of a turn with a local tool", "ms", more["floor"], more["headgate"], 1.2, note=note)]


async def eight_calls(bench: Bench) -> list[Row]:
    """A turn with eight calls that take 100 ms each."""
    chats = {target.name: await target.open() for target in bench.servers}
    for chat in chats.values():
        await chat.say(EIGHT)
    times = await _times(chats, EIGHT, bench.count(15))
    return [Row("eight", "eight 100 ms tool calls in one turn", "ms", times["floor"][1], times["headgate"][1], 106)]
