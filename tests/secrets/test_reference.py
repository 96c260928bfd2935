"""References to secrets: grammar, and fetching many."""

from __future__ import annotations

import pytest

from headgate.core.errors import ConfigError
from headgate.core.ports import SecretBackend, SecretValue
from headgate.secrets.failures import SecretDenied, SecretError
from headgate.secrets.reference import SecretRef, fetch


class Shelf:
    """A back-end that remembers what was asked; what is called `no` is denied."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    async def read(self, path: str, key: str | None, /) -> SecretValue:
        """The path in capitals."""
        self.asked.append((path, key))
        if path == "no":
            raise SecretDenied("no")
        return SecretValue(path.upper(), "1")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("vault/app/db#password", ("vault", "app/db", "password")),
        ("secret:env/TOKEN", ("env", "TOKEN", None)),
        ("my-vault_2/a b/c.d", ("my-vault_2", "a b/c.d", None)),
        ("files/..data", ("files", "..data", None)),
    ],
)
def test_a_reference_has_a_backend_a_path_and_a_key(text: str, parts: tuple[str, str, str | None]) -> None:
    """The grammar of the manual, which writes back as it was."""
    ref = SecretRef.parse(text)
    assert (ref.backend, ref.path, ref.key) == parts
    assert str(ref) == text.removeprefix("secret:")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vault",
        "vault/",
        "/x",
        "vault/x#",
        "vault/#k",
        "a b/x",
        "v/../x",
        "v/x/..",
        "v//x",
        "v/./x",
        "v/x/",
        "v/a\nb",
        "v/\0",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    """Missing parts, parts that would lead elsewhere, and control characters."""
    with pytest.raises(ConfigError) as caught:
        SecretRef.parse(text)
    assert caught.value.hint


async def test_fetch_answers_for_every_reference() -> None:
    """Each is asked for once, and a failure stands where its value would."""
    shelf = Shelf()
    backends: dict[str, SecretBackend] = {"shelf": shelf}
    texts = ["shelf/a", "shelf/a", "shelf/no", "shelf/b#k", "other/x"]
    found = await fetch(backends, map(SecretRef.parse, texts))
    told = {str(ref): each.code if isinstance(each, SecretError) else each for ref, each in found.items()}
    assert told == {
        "shelf/a": SecretValue("A", "1"),
        "shelf/b#k": SecretValue("B", "1"),
        "shelf/no": "secret_denied",
        "other/x": "secret_not_found",
    }
    assert sorted(shelf.asked, key=str) == [("a", None), ("b", "k"), ("no", None)]
