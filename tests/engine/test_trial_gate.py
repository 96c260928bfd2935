"""`[reload] require_tests`: what fails its own tests does not become live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headgate.boot import Place, open_gateway
from headgate.compile.compiler import Compiler
from headgate.engine.reload import BootError
from headgate.engine.trial.gate import Gate
from headgate.kinds import DEFAULT_KINDS
from headgate.testing.harness import agent_md, gateway_toml, live, write_tree
from tests.engine.trials import CALCULATE, FUNCTIONS

PROVIDER = 'kind = "scripted"\nturns = [{text = "From the provider."}]'


def toml(*, required: bool = True, lenient: bool = False) -> str:
    """A gateway that requires its tests."""
    boot = '[boot]\non_invalid = "last_good"\n' if lenient else ""
    text = gateway_toml(FUNCTIONS + boot, provider=PROVIDER)
    return text.replace("[reload]\n", "[reload]\nrequire_tests = true\n") if required else text


def agent(said: str = "Hello.", **keys: Any) -> str:
    """An agent whose test passes when it says Hello."""
    test = {"name": "greets", "given": {"user": "hi"}, "script": [{"text": said}], "expect": {"text_equals": "Hello."}}
    return agent_md(tests=[test], **keys)


def tree(root: Path, **files: str) -> Path:
    """A tree whose tests pass, with other files."""
    return write_tree(root, {"gateway.toml": toml(), "agents/helper.md": agent(), **files})


async def test_an_edit_that_fails_its_tests(tmp_path: Path) -> None:
    """The revision before serves on, and the status says which test failed and where."""
    async with live(tree(tmp_path), watch=False) as gateway:
        before = (await gateway.get("/v1/status"))["revision"]
        gateway.edit("agents/helper.md", agent("Goodbye."))
        assert (await gateway.reload())["status"] == 422
        status = await gateway.get("/v1/status")
        assert (status["status"], status["revision"]) == ("degraded", before)
        (found,) = (await gateway.get("/v1/admin/diagnostics"))["diagnostics"]
        assert (found["code"], found["path"], found["line"]) == ("HG1501", "agents/helper.md", 3)
        assert "test 'greets'" in found["message"]
        gateway.edit("agents/helper.md", agent())
        assert (await gateway.reload())["status"] == "unchanged"


async def test_tests_are_not_required_by_default(tmp_path: Path) -> None:
    """Without the setting a failing test stops nothing."""
    files = {"gateway.toml": toml(required=False), "agents/helper.md": agent("Goodbye.")}
    async with live(write_tree(tmp_path, files), watch=False) as gateway:
        assert (await gateway.get("/v1/status"))["status"] == "ok"


async def test_a_boot_that_fails_its_tests(tmp_path: Path) -> None:
    """A tree whose tests fail is not served."""
    write_tree(tmp_path, {"gateway.toml": toml(), "agents/helper.md": agent("Goodbye.")})
    with pytest.raises(BootError, match=r"HG1501.*expected \"Hello.\", got \"Goodbye.\""):
        async with open_gateway(Place(tree=tmp_path, environ={})):
            pass


async def test_a_boot_with_the_last_good_revision(tmp_path: Path) -> None:
    """Where the tree says so, the last revision whose tests passed is served."""
    root = tree(tmp_path, **{"gateway.toml": toml(lenient=True)})
    async with open_gateway(Place(tree=root, environ={}), watch=False) as gateway:
        good = gateway.snapshot.revision
    write_tree(root, {"agents/helper.md": agent("Goodbye.")})
    async with open_gateway(Place(tree=root, environ={}), watch=False) as gateway:
        assert gateway.snapshot.revision == good
        assert [each.code for each in gateway.edge.status.diagnostics] == ["HG1501"]


async def test_only_what_changed_is_tested_again(tmp_path: Path) -> None:
    """A test that passed is run again when its object, or a tool that it may use, is another one."""
    tested = f"{CALCULATE}tests: [{{args: {{expression: 1/0}}, error: division_by_zero}}]\n"
    root = tree(tmp_path, **{"tools/calculate.yaml": tested, "agents/user.md": agent(tools=["calculate"])})
    gate, compiler = Gate({}), Compiler(root, DEFAULT_KINDS, {})

    async def ran() -> list[str]:
        draft = compiler.compile().draft
        pending = ["/".join(case.path) for case in gate.pending(draft).cases]
        assert await gate.findings(draft) == ()
        return pending

    assert await ran() == ["agent/helper/greets", "agent/user/greets", "tool/calculate/1"]
    assert await ran() == []
    write_tree(root, {"tools/calculate.yaml": tested.replace("Computes", "Calculates")})
    assert await ran() == ["agent/user/greets", "tool/calculate/1"]
    write_tree(root, {"agents/helper.md": agent(max_turns=3)})
    assert await ran() == ["agent/helper/greets"]


async def test_what_failed_is_tested_again(tmp_path: Path) -> None:
    """A failure is not remembered: what the test depends on may be outside the tree."""
    root = tree(tmp_path, **{"agents/helper.md": agent("Goodbye.")})
    gate, compiler = Gate({}), Compiler(root, DEFAULT_KINDS, {})
    for _ in range(2):
        (found,) = await gate.findings(compiler.compile().draft)
        assert found.code == "HG1501"
