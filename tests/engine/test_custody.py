"""Where grants are kept: encrypted, each in its own place, until their time is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from headgate.core.vault import Kept
from headgate.engine.custody import Custody
from headgate.stores import open_ledger
from headgate.stores.cipher import Cipher
from headgate.stores.port import Ledger

ONE, TWO = "first-" * 8, "second-" * 8


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with open_ledger("sqlite:///:memory:", tmp_path) as opened:
        yield opened


async def test_texts_come_back(ledger: Ledger) -> None:
    """What was written is read, changed if it is still the same, and taken once; the ledger does not know it."""
    custody = Custody(ledger, Cipher([ONE]))
    await custody.write("grant", "ann", "crm", "a secret text")
    assert await custody.read("grant", "ann", "crm") == Kept("a secret text", 1)
    assert [await custody.change("grant", "ann", "crm", each, 1) for each in ("b", "c")] == [True, False]
    (record,) = await ledger.credentials()
    assert "secret" not in record.sealed
    assert await custody.owners("grant", "crm") == ("ann",)
    taken = await asyncio.gather(*(custody.take("grant", "ann", "crm") for _ in range(5)))
    assert [each for each in taken if each] == [Kept("b", 2)]


async def test_a_text_in_another_place(ledger: Ledger) -> None:
    """What somebody moves to another row of the ledger is not read there."""
    custody = Custody(ledger, Cipher([ONE]))
    await custody.write("grant", "ann", "crm", "ann's")
    (record,) = await ledger.credentials()
    await ledger.put_credential(replace(record, owner="bob"))
    assert await custody.read("grant", "bob", "crm") is None
    assert await custody.owners("grant", "crm") == ("ann",)
    assert await custody.all() == {("grant", "ann", "crm"): "ann's"}


async def test_times_that_are_over(ledger: Ledger) -> None:
    """A text whose time is over is as good as none, and goes when the next is forgotten."""
    now = [100.0]
    custody = Custody(ledger, Cipher([ONE]), clock=lambda: now[0])
    await custody.write("flow", "f", "", "x", expires_at=110.0)
    assert await custody.read("flow", "f", "") == Kept("x", 1)
    now[0] = 110.0
    assert (await custody.read("flow", "f", ""), await custody.all()) == (None, {})
    assert await custody.forget([]) == 1


async def test_another_key(ledger: Ledger) -> None:
    """Texts are encrypted anew with the first key, under the same revision; without the key they are left alone."""
    await Custody(ledger, Cipher([ONE])).write("grant", "ann", "crm", "x")
    assert await Custody(ledger, Cipher([TWO])).renew() == 0
    both = Custody(ledger, Cipher([TWO, ONE]))
    assert [await both.renew(), await both.renew()] == [1, 0]
    assert await Custody(ledger, Cipher([TWO])).read("grant", "ann", "crm") == Kept("x", 1)
    assert await Custody(ledger, Cipher([ONE])).read("grant", "ann", "crm") is None


async def test_work_on_one_text(ledger: Ledger) -> None:
    """Whoever works on a text shares one lock with the others, and none with who works on another."""
    custody = Custody(ledger, Cipher([ONE]))
    async with custody.alone("grant", "ann", "crm"):
        async with custody.alone("grant", "bob", "crm"):
            pass
        assert custody.alone("grant", "ann", "crm").locked()
    assert not custody.alone("grant", "ann", "crm").locked()
