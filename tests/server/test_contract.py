"""The compatible chat API answers as ai-agent-gateway 0.5.3 does, byte for byte."""

from __future__ import annotations

import http.client
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headgate.testing.harness import KEY, Live, agent_md, gateway_toml, live, write_tree
from server.seed_contract import CASES, Case

TREE = {
    "gateway.toml": gateway_toml(),
    "script.yaml": "- {text: Hello}\n",
    "agents/helper.md": agent_md(model="default/auto"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_x(case, tmp_path) -> None:
    async with live(write_tree(tmp_path, TREE), watch=False) as gw:
        token = (await gw.session()).token
        def fill(s): return s.replace("{token}", token).replace("{api_key}", KEY)
        host, port = gw.url.removeprefix("http://").split(":")
        import asyncio
        r, w = await asyncio.open_connection(host, int(port))
        hs = [(k, fill(v)) for k, v in case.headers]
        body = case.body.replace(b"{token}", token.encode()).replace(b"{api_key}", KEY.encode())
        head = f"{case.method} {case.path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in hs)
        if not any(k == "host" for k, _ in hs): head += f"host: {host}:{port}\r\n"
        if body: head += f"content-length: {len(body)}\r\n"
        w.write((head + "connection: close\r\n\r\n").encode() + body)
        raw = await r.read()
        w.close()
        h, _, b = raw.partition(b"\r\n\r\n")
        status = int(h.split(b" ")[1])
        assert (status, b) == (case.status, case.payload), h
        lines = h.decode().lower().split("\r\n")[1:]
        for k, v in case.expect_headers:
            assert f"{k}: {v}".lower() in lines, h
