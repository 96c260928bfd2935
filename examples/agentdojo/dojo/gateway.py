"""The gateway: a copy of its tree, its process, and a client of its API."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dojo.cases import Case

TREE = Path(__file__).resolve().parent.parent
POLICIES = "# ----"
"""What the first line begins with of the part of gateway.toml that holds the policies."""
SCRIPT = "demo.script.yaml"
"""What the model says and calls; another one for every case."""
KEY = "the-key-of-the-replay"


def tree(folder: Path, *, policies: bool) -> Path:
    """A copy of the example in `folder`; without its policies if so wanted."""
    for name in ("agents", "tools"):
        shutil.copytree(TREE / name, folder / name)
    shutil.copy(TREE / SCRIPT, folder)
    text = (TREE / "gateway.toml").read_text(encoding="utf-8")
    head, marker, _ = text.partition(POLICIES)
    if not marker:
        raise SystemExit("gateway.toml: the line above the policies is missing")
    (folder / "gateway.toml").write_text(text if policies else head, encoding="utf-8")
    return folder


def script(case: Case) -> list[dict[str, Any]]:
    """The turns of the model: a call each, and the answer."""
    return [*({"call": call.name, "args": call.args} for call in case.calls), {"text": case.text or "Done."}]


@contextmanager
def served(command: str, root: Path, tools: str) -> Iterator[Client]:
    """`headgate serve` on a free port until the block is left; `tools` is the URL of the tools' back end."""
    environ = {**os.environ, "DOJO_TOOLS": tools, "HEADGATE_DEMO_KEY": KEY}
    log = root / "log.txt"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [command, "serve", str(root), "--port", "0"], stdout=subprocess.PIPE, stderr=errors, env=environ, text=True
        )
    try:
        yield Client(_address(process, log), root)
    finally:
        process.terminate()
        process.communicate()


def _address(process: subprocess.Popen[str], log: Path) -> str:
    printed = ""
    for line in process.stdout or ():
        printed += line
        found = re.search(r"on (http://\S+)", printed)
        if found and "/v1/status" in line:
            return found[1]
    raise SystemExit(f"the gateway did not start:\n{log.read_text(encoding='utf-8')}")


class Client:
    """A client of the native API, beside the tree that is served."""

    def __init__(self, url: str, root: Path) -> None:
        self._url, self._root = url, root
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def rehearse(self, case: Case) -> None:
        """From now on the model plays this case."""
        # JSON is YAML.
        (self._root / SCRIPT).write_text(json.dumps(script(case)), encoding="utf-8")
        self.post("/v1/admin/reload", {})

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON answer; a refusal ends the replay."""
        with self._open(self._request(path, json.dumps(body).encode())) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def events(self, run: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """What the run tells, from its beginning to its end."""
        request = self._request(f"/v1/runs/{run}/events")
        request.add_header("Accept", "text/event-stream")
        event = ""
        with self._open(request) as stream:
            for line in stream:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    yield event, json.loads(value)

    def _open(self, request: urllib.request.Request) -> Any:
        try:
            return self._opener.open(request, timeout=60)
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{request.full_url}: {error.code} {error.read().decode()}") from None

    def _request(self, path: str, body: bytes | None = None) -> urllib.request.Request:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        return urllib.request.Request(self._url + path, body, headers)
