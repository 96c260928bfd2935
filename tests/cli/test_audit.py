"""The audit log and the usage at the command line, beside a gateway or without one."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from headgate.testing.harness import live
from tests.cli.console import headgate
from tests.cli.trees import tree


async def used(root: Path) -> Path:
    """A tree whose ledger holds one run with a call."""
    assert (await headgate("run", "helper", "compute", home=tree(root))).code == 0
    return root


async def test_verify(tmp_path: Path) -> None:
    """A log in order is exit 0 with its head; a record that was changed is exit 1 with its number."""
    root = await used(tmp_path)
    done = await headgate("audit", "verify", home=root)
    assert (done.code, "records are in order\nhead " in done.out) == (0, True)
    head = done.out.splitlines()[-1].removeprefix("head ")
    told = await headgate("audit", "verify", str(root), "--head", head, "--format", "json", home=tmp_path)
    assert (told.code, json.loads(told.out)["ok"]) == (0, True)
    with closing(sqlite3.connect(root / ".headgate" / "state.db")) as db, db:
        db.execute("UPDATE audit SET entry = replace(entry, 'helper', 'helpex') WHERE n = 2")
    broken = await headgate("audit", "verify", home=root)
    assert (broken.code, broken.out) == (
        1,
        "broken at record 2: its content, or its place behind the record before it, is not what was hashed\n",
    )


async def test_a_missing_end(tmp_path: Path) -> None:
    """A head that was kept shows that the end is missing."""
    root = await used(tmp_path)
    head = (await headgate("audit", "verify", home=root)).out.splitlines()[-1].removeprefix("head ")
    with closing(sqlite3.connect(root / ".headgate" / "state.db")) as db, db:
        db.execute("DELETE FROM audit WHERE n > 2")
    assert (await headgate("audit", "verify", home=root)).code == 0
    known = await headgate("audit", "verify", "--head", head, home=root)
    assert (known.code, "its end is missing" in known.out) == (1, True)
    assert (await headgate("audit", "verify", "--head", "nonsense", home=root)).code == 1


async def test_export(tmp_path: Path) -> None:
    """Each line is a record whose hash anybody can make: of the hash before it and the entry as it stands there."""
    root = await used(tmp_path)
    lines = (await headgate("audit", "export", home=root)).out.splitlines()
    before = ""
    for line in lines:
        record, text = json.loads(line), line.partition('"entry":')[2][:-1]
        assert record["prev"] == before
        before = sha256((before + text).encode()).hexdigest()
        assert record["hash"] == before
    kinds = [json.loads(line)["entry"]["kind"] for line in lines]
    assert kinds[:2] == ["gateway.started", "run.created"]
    later = await headgate("audit", "export", "--from", "2100-01-01", home=root)
    sooner = await headgate("audit", "export", "--to", "2020-01-01", home=root)
    assert (later.out, sooner.out) == ("", "")


async def test_export_for_collectors(tmp_path: Path) -> None:
    """As OpenTelemetry logs, each line is one record with its time, its kind, what it is about and what was hashed."""
    root = await used(tmp_path)
    lines = (await headgate("audit", "export", "--format", "otlp", home=root)).out.splitlines()
    plain = [json.loads(line) for line in (await headgate("audit", "export", home=root)).out.splitlines()]
    assert len(lines) == len(plain)
    for line, record in zip(lines, plain, strict=True):
        (resource,) = json.loads(line)["resourceLogs"]
        (log,) = resource["scopeLogs"][0]["logRecords"]
        told = {each["key"]: each["value"] for each in log["attributes"]}
        assert {"key": "service.name", "value": {"stringValue": "headgate"}} in resource["resource"]["attributes"]
        severity = "WARN" if record["entry"].get("outcome") in ("denied", "error") else "INFO"
        assert (log["eventName"], log["severityText"]) == (f"headgate.{record['entry']['kind']}", severity)
        assert int(log["timeUnixNano"]) // 10**9 == int(record["entry"]["at"])
        assert told["headgate.audit.n"] == {"intValue": str(record["n"])}
        assert json.loads(told["headgate.audit.text"]["stringValue"]) == record["entry"]
        assert told.get("headgate.tool", {}).get("stringValue") == record["entry"].get("tool")
        assert {each["key"] for each in log["body"].get("kvlistValue", {"values": []})["values"]} == set(
            record["entry"].get("details", {})
        )


async def test_usage(tmp_path: Path) -> None:
    """What turns used is a table for people, and JSON and CSV for machines."""
    root = await used(tmp_path)
    shown = (await headgate("usage", home=root)).out.splitlines()
    assert [line.split()[0] for line in shown] == ["agent", "helper", "total"]
    assert shown[1].split()[-1] == "$0.0000"
    report = json.loads((await headgate("usage", "--by", "key", "--format", "json", home=root)).out)
    assert [(each["name"], each["turns"]) for each in report["items"]] == [("local operator", 2)]
    table = (await headgate("usage", "--key", "nobody", "--format", "csv", home=root)).out.splitlines()
    assert table[1].startswith("total,0,")
    assert (await headgate("usage", "--from", "2100-01-01", "--to", "2101-01-01", home=root)).code == 0


async def test_a_budget_holds_here_too(tmp_path: Path) -> None:
    """A run at the command line counts against the budget of its key, and the next process is refused."""
    root = await used(tmp_path)
    toml = root / "gateway.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + "\n[budgets]\nper_key = {tokens = 1}\n", encoding="utf-8")
    refused = await headgate("run", "helper", "compute", home=root)
    assert (refused.code != 0, "is used up" in refused.err + refused.out) == (True, True)


async def test_beside_a_gateway(tmp_path: Path) -> None:
    """Both commands work while a gateway serves the tree."""
    root = await used(tmp_path)
    async with live(root, watch=False):
        assert (await headgate("audit", "verify", home=root)).code == 0
        assert (await headgate("usage", home=root)).code == 0


async def test_without_a_ledger(tmp_path: Path) -> None:
    """A tree that was never served has neither."""
    for words in (("audit", "verify"), ("audit", "export"), ("usage",)):
        done = await headgate(*words, home=tree(tmp_path))
        assert (done.code, "There is no ledger" in done.err) == (1, True)
