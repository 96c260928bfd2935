"""The compatible chat API answers as the published contract says, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from headgate.testing.harness import KEY, Live, agent_md, gateway_toml, live, write_tree
from tests.server.chat_contract import CASES, Case

LEFT_OUT = {
    "cors_": "the cases hold where every origin is allowed; here none is until [server.cors] names it",
    "slash_": "a path with a trailing slash is another path: no redirect",
    "init_too_deep": "how deep JSON may be nested depends on the interpreter",
}
SERVED = [case for case in CASES if not any(case.name.startswith(prefix) for prefix in LEFT_OUT)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Live, str]]:
    """A gateway and the token of an idle session."""
    files = {
        "gateway.toml": gateway_toml(),
        "script.yaml": "- {text: Hello}\n",
        "agents/helper.md": agent_md(model="default/auto"),
    }
    root: Path = write_tree(tmp_path_factory.mktemp("tree"), files)
    async with live(root, watch=False) as running:
        yield running, (await running.session()).token


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", SERVED, ids=lambda case: case.name)
async def test_the_answer_is_the_contract_s(gateway: tuple[Live, str], case: Case) -> None:
    """Status, body and the named headers of every case are those of the contract."""
    head, body = await _exchange(*gateway, case)
    status, *fields = head.split("\r\n")
    assert (int(status.split()[1]), body) == (case.status, case.payload)
    sent = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    assert {name: sent.get(name) for name, _ in case.expect_headers} == dict(case.expect_headers)


def test_most_cases_are_served() -> None:
    """What is left out is counted, so that nothing goes missing unseen."""
    assert (len(CASES), len(SERVED)) == (222, 209)


async def _exchange(running: Live, token: str, case: Case) -> tuple[str, bytes]:
    address = urlsplit(running.url)
    body = case.body.replace(b"{token}", token.encode()).replace(b"{api_key}", KEY.encode())
    named = {name for name, _ in case.headers}
    headers = [*case.headers, *([] if "host" in named else [("host", address.netloc)])]
    lines = [f"{case.method} {case.path} HTTP/1.1", "connection: close", f"content-length: {len(body)}"]
    lines += [f"{name}: {value.replace('{token}', token).replace('{api_key}', KEY)}" for name, value in headers]
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return head.decode(), answer
