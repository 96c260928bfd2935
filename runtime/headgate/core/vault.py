"""The port to where secrets of people are kept."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Kept:
    """A text that a `Vault` keeps, and how often it was written."""

    text: str = field(repr=False)
    revision: int = 1


class Vault(Protocol):
    """Keeps small secret texts, encrypted, under a kind, an owner and a name; raises `StoreError`.

    A text that is not decrypted by any key is as good as none, and so is one whose time is over.
    """

    async def read(self, kind: str, owner: str, name: str, /) -> Kept | None:
        """The text."""
        ...

    async def write(self, kind: str, owner: str, name: str, text: str, /, *, expires_at: float | None = None) -> None:
        """Keeps the text, in the place of one that is there; until then, in epoch seconds, if that is given."""
        ...

    async def change(self, kind: str, owner: str, name: str, text: str, revision: int, /) -> bool:
        """Replaces the text if it is still the one with this revision."""
        ...

    async def take(self, kind: str, owner: str, name: str, /) -> Kept | None:
        """The text, which is forgotten: of many who take it at once, one gets it."""
        ...

    async def owners(self, kind: str, name: str, /) -> tuple[str, ...]:
        """Whose texts of this kind and name there are."""
        ...

    def alone(self, kind: str, owner: str, name: str, /) -> AbstractAsyncContextManager[object]:
        """A lock that everybody in this process has in common who works on the text."""
        ...
