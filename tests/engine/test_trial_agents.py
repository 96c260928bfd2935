"""Inline tests of agents: the real loop, with a script for the model and mocks for the tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headgate.testing.harness import agent_md
from tests.engine.trials import agent, suite, tried

CALL = [{"call": "lookup", "args": {"name": "ACME"}}, {"text": "{{ result.plan }}"}]
GOLD = {"lookup": {"plan": "gold"}}


async def test_a_test_that_passes(tmp_path: Path) -> None:
    """Calls with arguments, text, turns and prompt are as expected; the provider is never asked."""
    expect = {
        "calls": [{"name": "lookup", "args": {"name": "ACME"}}], "no_calls": ["add"], "text_contains": ["old", "g"],
        "text_equals": "gold", "turns": 2, "prompt_contains": "team test", "outcome": "success",
    }  # fmt: skip
    files = agent("Of team {{ session.team }}.", script=CALL, mocks=GOLD, expect=expect)
    assert await tried(tmp_path, files) == []


WRONG: list[tuple[dict[str, Any], str | None]] = [
    ({"calls": ["add"]}, "the calls: expected [add], got [lookup]"),
    ({"calls": []}, "the calls: expected [], got [lookup]"),
    (
        {"calls": [{"name": "lookup", "args": {"name": "B"}}]},
        'the arguments of lookup at name: expected "B", got "ACME"',
    ),
    ({"calls": [{"name": "lookup", "error": "gone"}]}, "the error of lookup: expected gone, got no error"),
    ({"no_calls": ["look*"]}, "lookup was called: expected no call of lookup, got [lookup]"),
    ({"text_contains": "silver"}, 'the text: expected "silver" in it, got "gold"'),
    ({"text_equals": "Gold"}, 'the last text: expected "Gold", got "gold"'),
    ({"prompt_contains": ["You"]}, None),
    ({"prompt_contains": ["you"]}, 'the prompt: expected "you" in it, got "You help."'),
    ({"turns": 3}, "the number of turns: expected 3, got 2"),
    ({"outcome": "budget"}, "the outcome: expected budget, got success"),
    ({"error_code": "gone"}, "the error: expected gone, got success"),
]


@pytest.mark.parametrize(("expect", "said"), WRONG, ids=lambda each: str(each)[:40])
async def test_what_is_not_as_expected(tmp_path: Path, expect: dict[str, Any], said: str | None) -> None:
    """Each expectation that is not met is one finding, with both sides in it."""
    found = await tried(tmp_path, agent(script=CALL, mocks=GOLD, expect=expect))
    assert [each.partition(" HG1501 ")[2] for each in found] == ([f"test 't': {said}"] if said else [])


async def test_the_place_of_a_failure(tmp_path: Path) -> None:
    """A finding stands at the expectation that was not met."""
    text = """\
---
description: Helps.
tests:
  - name: greets
    given: {user: hi}
    script: [{text: Hello.}]
    expect:
      turns: 1
      text_contains: [Hello, Goodbye]
---
You help.
"""
    (found,) = await tried(tmp_path, {"agents/helper.md": text})
    assert found == '9:30: HG1501 test \'greets\': the text: expected "Goodbye" in it, got "Hello."'


async def test_a_tool_that_is_not_mocked(tmp_path: Path) -> None:
    """No test reaches the network: an HTTP tool without a mock is not called, nor a function that may write."""
    script = [{"calls": [CALL[0], {"call": "add", "args": {"a": 1, "b": 2}}]}, {"text": "Done."}]
    found = await tried(tmp_path, agent(script=script, expect={"calls": []}))
    assert sorted(each.partition(";")[0].partition("': ")[2] for each in found) == [
        "add was called, but is not mocked", "lookup was called, but is not mocked",
    ]  # fmt: skip
    assert all("only function tools that are read_only and not open_world" in each for each in found)


async def test_a_safe_function_is_called(tmp_path: Path) -> None:
    """A function that changes nothing and stays inside answers for itself; a mock goes before it."""
    script = [{"call": "calculate", "args": {"expression": "1+2"}}, {"text": "{{ result.exact }}"}]
    assert await tried(tmp_path / "a", agent(script=script, expect={"text_equals": "3"})) == []
    mocked = agent(script=script, mocks={"calculate": {"exact": "4"}}, expect={"text_equals": "4"})
    assert await tried(tmp_path / "b", mocked) == []


async def test_arguments_are_checked(tmp_path: Path) -> None:
    """A call that the schema refuses fails the test, unless the refusal is what is expected."""
    script = [{"call": "lookup", "args": {"name": 1}}, {"text": "Hm."}]
    (found,) = await tried(tmp_path / "a", agent(script=script, mocks=GOLD))
    assert "the call of lookup was refused: invalid_arguments: name: 1 is not of type 'string'" in found
    (found,) = await tried(tmp_path / "b", agent(script=script, mocks=GOLD, expect={"calls": ["lookup"]}))
    assert "the call of lookup was refused: invalid_arguments" in found
    expect = {"calls": [{"name": "lookup", "error": "invalid_arguments"}]}
    assert await tried(tmp_path / "c", agent(script=script, mocks=GOLD, expect=expect)) == []


async def test_channels_and_profiles_apply(tmp_path: Path) -> None:
    """A tool that the channel denies cannot be called, and a profile's limits hold."""
    spec = {"channels": {"slack": {"tools_deny": ["lookup"]}}, "profiles": {"brief": {"max_turns": 1}}}
    given = {"user": "hi", "channel": "slack", "profile": "brief"}
    expect = {"no_calls": ["*"], "calls": [], "outcome": "max_turns", "turns": 1}
    assert await tried(tmp_path, agent(spec=spec, given=given, script=CALL, expect=expect)) == []


async def test_mocked_results(tmp_path: Path) -> None:
    """A mock is a value, an error, or one of these for each call."""
    again = {"call": "lookup", "args": {"name": "ACME"}}
    mock = {"results": ["text", {"error": {"code": "gone", "message": "No customer."}}]}
    script = [again, {"text": "{{ result }}, "}, {"text": "never"}]
    assert await tried(tmp_path / "a", agent(script=[again, {"text": "{{ result }}"}], mocks={"lookup": "text"},
                                            expect={"text_equals": "text"})) == []  # fmt: skip
    script = [again, again, {"text": "{{ result.error.message }}"}]
    expect = {"calls": ["lookup", {"name": "lookup", "error": "gone"}], "text_equals": "No customer."}
    assert await tried(tmp_path / "b", agent(script=script, mocks={"lookup": mock}, expect=expect)) == []
    (found,) = await tried(tmp_path / "c", agent(script=[again, *script], mocks={"lookup": mock}))
    assert "lookup was called 3 times, but its mock has 2 results" in found


async def test_references_in_mocks(tmp_path: Path) -> None:
    """A mocked result may come from the environment."""
    mocks = {"lookup": {"plan": "${env:PLAN:-gold}"}}
    assert await tried(tmp_path, agent(script=CALL, mocks=mocks, expect={"text_equals": "${env:PLAN:-gold}"})) == []


async def test_a_mock_of_a_stranger(tmp_path: Path) -> None:
    """A mock of a tool that the agent does not have is a mistake in the test."""
    (found,) = await tried(tmp_path, agent(mocks={"lokup": 1}))
    assert "HG1502 test 't': the agent has no tool 'lokup' to mock; did you mean 'lookup'?" in found


async def test_input_is_checked(tmp_path: Path) -> None:
    """A request that a server would refuse is refused in a test, too."""
    spec = {"input": {"type": "object", "required": ["ticket"], "properties": {"ticket": {"type": "string"}}}}
    prompt = "Ticket {{ input.ticket }}."
    assert await tried(tmp_path / "a", agent(prompt, spec=spec, expect={"error_code": "invalid_request"})) == []
    (found,) = await tried(tmp_path / "b", agent(prompt, spec=spec))
    assert "expected success, got invalid_request (context.input does not match" in found
    given = {"user": "hi", "input": {"ticket": "T-1"}}
    good = agent(prompt, spec=spec, given=given, expect={"prompt_contains": "Ticket T-1."})
    assert await tried(tmp_path / "c", good) == []


async def test_retries_are_quick(tmp_path: Path) -> None:
    """An overload is retried as the provider's settings say, without their pauses."""
    script = [{"error": 529}, {"error": 529}, {"text": "Third."}]
    assert await tried(tmp_path / "a", agent(script=script, expect={"text_equals": "Third.", "turns": 1})) == []
    refused = agent(script=[{"error": 401}], expect={"error_code": "provider_auth"})
    assert await tried(tmp_path / "b", refused) == []
    (found,) = await tried(tmp_path / "c", agent(script=CALL[:1], mocks=GOLD))
    assert "expected success, got script_exhausted" in found


async def test_a_test_has_a_time_limit(tmp_path: Path) -> None:
    """A run that goes on and on ends the test, not the suite."""
    (found,) = await tried(tmp_path, agent(script=[{"delay": "1h", "text": "one two"}], timeout="50ms"))
    assert found.endswith("HG1501 test 't': the run did not end within 0.05 s")


async def test_tests_of_many_agents_keep_their_order(tmp_path: Path) -> None:
    """Slow tests come before quick ones if they are written before them."""
    tests = [
        {"name": str(n), "given": {"user": "hi"}, "script": [{"delay": f"{30 - n}ms", "text": "Hi"}]} for n in range(20)
    ]
    heard: list[str] = []
    cases = suite(tmp_path, {"agents/helper.md": agent_md(tests=tests)})
    verdicts = await cases.run(lambda verdict: heard.append(verdict.name))
    assert [each.name for each in verdicts] == heard == [str(n) for n in range(20)]
    assert {each.state for each in verdicts} == {"passed"}
