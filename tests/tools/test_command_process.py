"""Running programs: whatever happens, nothing of them is left."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from headgate.core.errors import ToolError
from headgate.testing.tool_kit import Listener, check_cancellation, check_failure, check_result
from tests.tools.programs import DEAF, FAMILY, STAY, children, command, descriptors, presence, python

LEAVE = f"{FAMILY}s.recv(1); print('done', flush=True)"  # the program goes, its child stays
WAIT = f"{FAMILY}p.wait()"
PORT = "{{ args.port }}"


async def _time_out() -> None:
    """A call that is out of time ends, and with it a grandchild that ignores SIGTERM."""
    async with presence(2) as seen, command(python(WAIT, PORT)) as family:
        failure = await check_failure(family, {"port": seen.port}, timeout=1.5)
        assert (failure.code, failure.retryable) == ("tool_timeout", True)
        await seen.gone()


async def _cancel() -> None:
    """A cancelled call leaves neither the program nor its grandchild."""
    async with presence(2) as seen, command(python(WAIT, PORT)) as family:
        await check_cancellation(family, {"port": seen.port}, seen.started, seen.ended)


async def _cancel_twice() -> None:
    """A second cancellation while the program is being ended does not let it escape."""
    before = children()
    async with presence(1) as seen, command(python(DEAF, PORT)) as deaf:
        call = asyncio.create_task(deaf.call({"port": seen.port}, Listener().context(60)))
        await seen.started.wait()
        call.cancel()
        await asyncio.sleep(0)
        call.cancel()
        (outcome,) = await asyncio.gather(call, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError)
        assert children() == before
        await seen.gone()


async def _leave_behind() -> None:
    """A child that holds the outputs open does not hold the call, and does not outlive it."""
    async with presence(2) as seen, command(python(LEAVE, PORT)) as family:
        result = await check_result(family, {"port": seen.port})
        assert result.payload == "done\n"
        await seen.gone()


async def _close() -> None:
    """Closing the tool ends the programs that still run."""
    async with presence(1) as seen:
        async with command(python(f"{STAY}s.send(b'x'); time.sleep(60)", PORT)) as stay:
            call = asyncio.create_task(check_failure(stay, {"port": seen.port}, timeout=60))
            await seen.started.wait()
        assert str(await call) == "exit_status: sample ended with signal SIGTERM"
        await seen.gone()


async def _input_and_outputs() -> None:
    """Input, both outputs, environment, directory and status work together."""
    code = "import os, sys; sys.stderr.write(os.environ['A']); print(sys.stdin.read() + os.getcwd()); sys.exit(4)"
    async with command(python(code), stdin="in:", env={"A": "err"}, cwd="/", ok_exit=[4]) as program:
        result = await check_result(program, {})
    assert (result.payload, result.meta) == ("in:/\n", {"exit_code": 4, "stderr": "err"})


async def _many() -> None:
    """Sixty-four calls at once, good and bad, leave no process and no descriptor behind."""
    code = "import sys; sys.stdin.read(); print('x' * 100_000); sys.exit(int(sys.argv[1]))"
    async with command(python(code, "{{ args.n }}"), stdin="abc", ok_exit=[0, 1]) as program:
        await check_result(program, {"n": 0})
        before, others = descriptors(), children()
        results = await asyncio.gather(*(program.call({"n": n % 3}, Listener().context(60)) for n in range(64)))
        assert [result.status for result in results] == [("ok", "ok", "error")[n % 3] for n in range(64)]
        assert all(result.error or len(result.payload) == 100_001 for result in results)
        assert descriptors() == before
    assert children() == others


SCENES = [_time_out, _cancel, _cancel_twice, _leave_behind, _close, _input_and_outputs, _many]
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__.strip("_"))
def test_programs_end_with_their_call(scene: Callable[[], Awaitable[None]], loop: str) -> None:
    """Each scene holds on both event loops, and leaves no child and no descriptor of its own."""

    async def play() -> None:
        await scene()

    before = children()
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(play())
    assert children() == before


async def test_a_call_that_is_cancelled_before_the_program_starts() -> None:
    """Cancelling at once neither starts a program that stays nor complains."""
    others = children()
    async with presence(1) as seen, command(python(DEAF, PORT)) as deaf:
        call = asyncio.create_task(deaf.call({"port": seen.port}, Listener().context(60)))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert children() == others


async def test_a_failed_start_leaves_nothing(tmp_path: Path) -> None:
    """A program that cannot be started leaves no descriptor behind, with input or without."""
    program = tmp_path / "hello"
    program.write_text("no program\n")
    program.chmod(0o755)
    async with command([str(program)], stdin="abc") as broken:
        before = descriptors()
        for _ in range(10):
            with pytest.raises(ToolError, match="could not be started: Exec format error"):
                await broken.call({}, Listener().context(60))
        assert descriptors() == before


@pytest.mark.skipif(sys.platform != "linux", reason="subreapers are a feature of Linux")
def test_orphans_are_waited_for_where_the_gateway_is_process_one() -> None:
    """Where orphans become children of the gateway they do not stay as zombies."""
    code = (
        "import asyncio, ctypes, sys\n"
        "from headgate.testing.tool_kit import Listener\n"
        "from tests.tools.programs import children, command, python\n"
        "assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0\n"  # PR_SET_CHILD_SUBREAPER
        "async def main():\n"
        '    leave = \'import subprocess, sys; subprocess.Popen([sys.executable, "-c", "input()"], stdin=0)\'\n'
        "    async with command(python(leave)) as tool:\n"
        "        await tool.call({}, Listener().context(60))\n"
        "    print(children())\n"
        "asyncio.run(main())\n"
    )
    paths = [str(Path(__file__).parent.parent.parent), *sys.path]
    argv = [sys.executable, "-c", f"import sys; sys.path[:] = {paths!r}\n{code}"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")
