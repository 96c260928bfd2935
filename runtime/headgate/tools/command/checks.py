"""What the types of a `command` manifest cannot say: every rule is one function that yields findings.

Whether the program and the directory exist is found when the tool is opened: a check does no I/O, and a tree must be
valid on machines that lack its programs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from headgate.core.kind import Finding, Key, Scope
from headgate.expressions.body import Templated
from headgate.expressions.template import Template
from headgate.tools.command.shells import check_code, read_words
from headgate.tools.command.spec import CommandSpec
from headgate.tools.shapes import as_json, check_shape
from headgate.tools.templates import Place, check_paths, find_slots

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Variables that make loaders, shells and interpreters run code: whoever sets them runs anything.
_POWERFUL = re.compile(
    r"PATH|IFS|ENV|BASH_ENV|BASH_FUNC.*|SHELLOPTS|PROMPT_COMMAND|LD_.*|DYLD_.*|GCONV_PATH|PYTHON.*|PERL.*|RUBY.*|NODE_.*"
    r"|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|GIT_.*|.*PAGER|EDITOR|VISUAL|LESSOPEN|LESSCLOSE"
)


def check(spec: CommandSpec, _scope: Scope) -> Iterator[Finding]:
    """Every finding of one manifest."""
    yield from check_paths(_places(spec), spec.input_schema)
    for rule in (_program, _texts, _environment, _directory, _shape):
        yield from rule(spec)


def _places(spec: CommandSpec) -> Iterator[Place]:
    for index, item in enumerate(spec.argv):
        yield from find_slots(item, ("argv", index))
    if spec.stdin is not None:
        yield from find_slots(spec.stdin, ("stdin",))
    for name, value in spec.env.items():
        yield from find_slots(value, ("env", name))


def _program(spec: CommandSpec) -> Iterator[Finding]:
    words = read_words(spec.argv)
    if (slot := words[0].slot) is not None:
        message = f"the program may not come from a template, but holds {slot.path!r}"
        yield Finding(("argv", 0), "HG1404", message, "write the program out; a tool runs one program", slot.offset)
    elif not words[0].text.strip():
        yield Finding(("argv", 0), "HG1004", "the program has no name")
    else:
        yield from check_code(words)


def _texts(spec: CommandSpec) -> Iterator[Finding]:
    named: list[tuple[Key, Templated]] = [(("argv", index), item) for index, item in enumerate(spec.argv)]
    named += [(("env", name), value) for name, value in spec.env.items()]
    for key, value in named:
        parts = value.node.parts if isinstance(value.node, Template) else (value.node,)
        if any(isinstance(part, str) and "\0" in part for part in parts):
            yield Finding(key, "HG1004", "a program cannot be given text with a NUL character in it")


def _environment(spec: CommandSpec) -> Iterator[Finding]:
    for name, value in spec.env.items():
        if not _VARIABLE.fullmatch(name):
            yield Finding(("env", name), "HG1004", f"{name!r} is not the name of an environment variable")
        elif _POWERFUL.fullmatch(name) and isinstance(value.node, Template):
            slot = value.node.slots[0]
            message = f"{name} makes programs run code, so {slot.path!r} may not choose its value"
            yield Finding(("env", name), "HG1404", message, "write the value out", slot.offset)
    for index, name in enumerate(spec.inherit):
        if not _VARIABLE.fullmatch(name):
            message = f"{name!r} is not the name of an environment variable"
            yield Finding(("inherit", index), "HG1004", message, "list full names; there are no patterns here")
        elif name in spec.env:
            message = f"{name!r} is also set under 'env', which wins"
            yield Finding(("inherit", index), "HG1004", message, "keep one of them")


def _directory(spec: CommandSpec) -> Iterator[Finding]:
    if spec.cwd is None:
        return
    if "{{" in spec.cwd or "\0" in spec.cwd or not spec.cwd:
        yield Finding(("cwd",), "HG1004", "'cwd' is the path of a directory, without templates", "write it out")
    elif not PurePath(spec.cwd).is_absolute() and ".." in PurePath(spec.cwd).parts:
        message = "a relative 'cwd' stays inside the directory that the gateway runs in"
        yield Finding(("cwd",), "HG1004", message, "write it without '..', or as an absolute path")


def _shape(spec: CommandSpec) -> Iterator[Finding]:
    if spec.output is not None and spec.parse != "json":
        yield Finding(("output",), "HG1004", "'output' shapes JSON, but the output is read as text", "add parse: json")
        return
    tests = [test for test in spec.tests if test.error is None and test.exit in spec.ok_exit]
    yield from check_shape(("output",), spec.output, as_json(test.stdout for test in tests))
