"""Conditions of rules about one tool are checked against its arguments, wherever those are stated."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.compile.compiler import Compiler
from headgate.kinds import DEFAULT_KINDS
from headgate.testing.harness import gateway_toml, write_tree

FUNCTION = "kind: function\ndescription: Explains.\ncall: headgate.toolbox.findings:explain\n"
STATED = (
    "kind: command\ndescription: Explains.\nargv: [echo]\ninput: {type: object, properties: {code: {type: string}}}\n"
)
RULES = {
    "approval": '[approvals.rule]\ntools = ["explain"]\ndecide = "deny"\nwhen = \'args.cod == "x"\'\n',
    "interceptor": (
        '[interceptors.rule]\nkind = "truncate"\nmax = "1KiB"\ntools = ["explain"]\nwhen = \'args.cod == "x"\'\n'
    ),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("tool", [FUNCTION, STATED], ids=["hints", "stated"])
def test_a_misspelt_argument(tmp_path: Path, rule: str, tool: str) -> None:
    """Type hints of a function count as much as what a manifest states; a pattern that fits one tool does not."""
    functions = '[functions]\npackages = ["headgate.toolbox"]\n'
    files = {
        "agents/helper.md": "---\ndescription: Helps.\ntools: [explain]\n---\nYou help.\n",
        "tools/explain.yaml": tool,
    }

    def found(text: str) -> list[str]:
        write_tree(tmp_path, {"gateway.toml": gateway_toml(functions + text), **files})
        compiled = Compiler(tmp_path, DEFAULT_KINDS, {}).compile()
        return [each.message for each in compiled.diagnostics if each.code.startswith("HG13")]

    assert found(RULES[rule]) == ["'when': there is no 'args.cod'"]
    assert found(RULES[rule].replace("args.cod ", "args.code ")) == []
    assert found(RULES[rule].replace('["explain"]', '["expl*"]')) == []
