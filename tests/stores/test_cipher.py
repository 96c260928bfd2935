"""What is encrypted at rest."""

from __future__ import annotations

import pytest

from headgate.core.errors import StoreError
from headgate.stores.cipher import Cipher

OLD, NEW = "an-old-key-of-more-than-32-characters", "a-new-key-of-more-than-32-characters"


def test_any_key_opens_and_the_first_seals() -> None:
    """What an older key sealed can be read, and is known as not fresh; what is sealed now needs the first key."""
    before, both, after = Cipher([OLD]), Cipher([NEW, OLD]), Cipher([NEW])
    text = 'sk-"secret" \u00e9 \ud800'
    sealed = before.seal(text)
    assert (both.open(sealed), both.fresh(sealed)) == (text, False)
    again = both.seal(text)
    assert (after.open(again), after.fresh(again), both.fresh(again)) == (text, True, True)
    assert again != both.seal(text)


@pytest.mark.parametrize("damaged", ["", "gAAAA", "x" * 200])
def test_what_does_not_open(damaged: str) -> None:
    """Another key, a changed text and nonsense are refused alike."""
    sealed = Cipher([OLD]).seal("secret")
    for cipher, text in ((Cipher([NEW]), sealed), (Cipher([OLD]), sealed[:-2] + "AA"), (Cipher([OLD]), damaged)):
        with pytest.raises(StoreError) as caught:
            cipher.open(text)
        assert caught.value.code == "store_sealed"
