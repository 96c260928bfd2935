"""The policies of a draft, in the layers that its files are."""

from __future__ import annotations

from headgate.compile.approvals import Book
from headgate.compile.draft import Draft


def book_of(draft: Draft) -> Book:
    """All policies; those of each file are a layer."""
    policies, layers = draft.gateway.approvals if draft.gateway else {}, draft.layers
    if layers is None:
        return Book(policies)
    files = {name: layers.files.get(("approvals", name), "") for name in policies}
    teams = {name: layers.teams[key] for name in policies if (key := ("approvals", name)) in layers.teams}
    return Book(policies, files, teams)
