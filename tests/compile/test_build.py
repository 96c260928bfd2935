"""Opening revisions: what did not change is shared, what failed leaves nothing open."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headgate.compile.build import Builder, BuildError
from headgate.compile.plan import Snapshot
from tests.compile.probes import GATEWAY, SCRIPTED, Bench, done, probe


def _values(snapshot: Snapshot) -> dict[tuple[str, str], object]:
    return {each.identity: each.value for each in snapshot.resources}


async def test_untouched_objects_are_shared_by_identity(bench: Bench) -> None:
    """An edit of one tool opens that tool and nothing else."""
    first = await bench.build()
    bench.read()
    bench.write({"tools/first.yaml": probe(value="new")})
    before = _values(first)
    second = await bench.build(first)
    after = _values(second)
    assert [key for key in after if after[key] is not before[key]] == [("tools", "first")]
    assert bench.read() == ["open first", "close first"]
    await done(second)


async def test_an_edited_agent_opens_nothing(bench: Bench) -> None:
    """Agents are folded anew around the objects that are open."""
    first = await bench.build()
    bench.read()
    bench.write({"agents/helper.md": "---\ndescription: Other.\n---\nYou differ.\n"})
    second = await bench.build(first)
    assert bench.read() == []
    assert second.agents["helper"].spec.description == "Other."
    await done(second)


async def test_a_changed_variable_opens_what_refers_to_it(bench: Bench) -> None:
    """A rotated secret opens exactly the objects that use it, and changes the digest of secrets."""
    first = await bench.build()
    bench.read()
    bench.environ["SECOND"] = "rotated"
    second = await bench.build(first)
    assert bench.read() == ["open second", "close second"]
    assert (first.revision == second.revision, first.secrets_digest == second.secrets_digest) == (True, False)
    await done(second)


async def test_a_changed_secret_file_opens_what_refers_to_it(bench: Bench, tmp_path: Path) -> None:
    """The content of a `${file:...}` counts, and the file is named for the watcher."""
    secret = tmp_path / "secret.txt"
    secret.write_text("one")
    bench.write({"tools/first.yaml": probe(value="${file:secret.txt}")})
    first = await bench.build()
    bench.read()
    secret.write_text("two")
    second = await bench.build(first)
    assert bench.read() == ["open first", "close first"]
    assert second.outside == {secret}
    await done(second)


async def test_a_changed_file_of_the_tree_opens_what_reads_it(bench: Bench) -> None:
    """A file that a manifest names belongs to the object's fingerprint."""
    bench.write({"tools/first.yaml": probe(file="data.txt"), "data.txt": "one"})
    first = await bench.build()
    bench.read()
    bench.write({"data.txt": "two"})
    second = await bench.build(first)
    assert bench.read() == ["open first", "close first"]
    assert first.revision != second.revision
    await done(second)


async def test_a_changed_script_opens_the_provider(bench: Bench) -> None:
    """The script of a scripted provider is part of it."""
    script = '[providers.default]\nkind = "scripted"\nscript = "demo.yaml"\n'
    bench.write({"gateway.toml": GATEWAY + script, "demo.yaml": "- text: One.\n"})
    first = await bench.build()
    bench.write({"demo.yaml": "- text: Two.\n"})
    before = _values(first)
    second = await bench.build(first)
    assert _values(second)["providers", "default"] is not before["providers", "default"]
    await done(second)


async def test_a_changed_egress_list_opens_everything(bench: Bench) -> None:
    """All objects hold the HTTP client of the egress rules that they were opened with."""
    first = await bench.build()
    bench.read()
    bench.write({"gateway.toml": GATEWAY + SCRIPTED + '[egress]\nallow = ["10.0.0.0/8"]\n'})
    second = await bench.build(first)
    assert bench.read() == ["open first", "open second", "close second", "close first"]
    await done(second)


async def test_a_failed_opening_closes_what_was_opened(bench: Bench) -> None:
    """The error stands at the key to blame, and the live snapshot is as it was."""
    first = await bench.build()
    bench.write({"tools/first.yaml": probe(value="new"), "tools/second.yaml": probe(value="x", opening="fails")})
    bench.read()
    with pytest.raises(BuildError) as caught:
        await Builder(bench.compile(), first, bench.environ).build()
    assert [str(each) for each in caught.value.diagnostics] == [
        "tools/second.yaml:3:8: error[HG1402] there is nobody at home; ring twice"
    ]
    assert bench.read() == ["open first", "close first"]
    await done(first)


async def test_every_failed_opening_is_reported_without_secrets(bench: Bench) -> None:
    """A failure of another kind than `ConfigError` is reported at the file, with secrets redacted."""
    bench.environ["SECOND"] = "very-secret"
    bench.write({"tools/first.yaml": probe(opening="fails")})
    bench.write({"tools/second.yaml": probe(value="${env:SECOND}", opening="breaks")})
    with pytest.raises(BuildError) as caught:
        await bench.build()
    assert [str(each) for each in caught.value.diagnostics] == [
        "tools/first.yaml:1:1: error[HG1402] there is nobody at home; ring twice",
        "tools/second.yaml:1:1: error[HG1402] RuntimeError: cannot use [redacted]",
    ]
    assert bench.read() == []


async def test_a_cancelled_opening_leaves_nothing_open(bench: Bench) -> None:
    """Who gives up waiting for an object that never becomes ready leaves no task and no object behind."""
    bench.write({"tools/second.yaml": probe(opening="never")})
    building = asyncio.create_task(bench.build())
    await bench.hanging.wait()
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    assert bench.read() == ["open first", "close first"]
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("owner of")] == []


async def test_objects_close_when_the_last_lease_returns(bench: Bench) -> None:
    """A retired snapshot keeps its objects for the runs that started on it."""
    snapshot = await bench.build()
    snapshot.acquire().acquire()
    snapshot.retire()
    snapshot.release()
    await snapshot.closed()
    assert "close first" not in bench.journal
    snapshot.release()
    await snapshot.closed()
    assert bench.read() == ["open first", "open second", "close second", "close first"]


async def test_keys_become_principals(bench: Bench) -> None:
    """A principal is found by the digest of its key, and has what the manifest says."""
    bench.write({"gateway.toml": GATEWAY + 'team = "ops"\nscopes = ["admin:*"]\n' + SCRIPTED})
    snapshot = await bench.build()
    (digest, principal), *_ = snapshot.principals.items()
    assert (principal.key, principal.team, principal.digest) == ("me", "ops", digest)
    assert principal.allows("admin:reload")
    await done(snapshot)
