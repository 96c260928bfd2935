"""What is known of secrets while a tree is read."""

from __future__ import annotations

import pytest

from headgate.compile.lookup import Lookup, Refusal
from headgate.manifest.references import Fault
from headgate.secrets.reference import SecretRef

REF = SecretRef("vault", "crm", "token")


def fault(lookup: Lookup, text: str, *key: str) -> Fault:
    """Why the text cannot be looked up at the key."""
    with pytest.raises(Fault) as raised:
        lookup(text, key or ("display_name",))
    return raised.value


def test_an_answer_is_the_value_and_the_reference_is_noted() -> None:
    """What was looked up is wanted, whether it is known or not."""
    lookup = Lookup(frozenset({"vault"}), {REF: "s3cret"})
    assert lookup("vault/crm#token", ("token",)) == "s3cret"
    assert fault(lookup, "vault/other").local
    assert lookup.wanted == {REF, SecretRef("vault", "other")}


def test_a_refusal_is_a_fault_of_this_machine() -> None:
    """Its code and words are the back-end's; one that was reported elsewhere has neither."""
    lookup = Lookup(frozenset({"vault"}), {REF: Refusal("HG1106", "it is gone")})
    found = fault(lookup, "vault/crm#token")
    assert (found.code, found.message, found.local) == ("HG1106", "it is gone", True)
    lookup.answers = {REF: Refusal()}
    assert fault(lookup, "vault/crm#token").code == ""


def test_nobody_is_blamed_for_a_gateway_that_cannot_be_read() -> None:
    """Whether a back-end is declared is not known then."""
    assert fault(Lookup(None), "vault/crm#token").code == ""


def test_back_ends_do_not_depend_on_back_ends() -> None:
    """Their own settings come from the environment or from files."""
    found = fault(Lookup(frozenset({"vault"})), "vault/crm#token", "secrets", "other", "token")
    assert (found.code, found.local) == ("HG1104", False)
