"""Links between the pages lead somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links, name


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_resolve(page: Path) -> None:
    """Every relative link names a file of the repository, and every fragment a heading of it."""
    for link in links(page):
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)}: {link} leads nowhere"
        assert not fragment or fragment in anchors(target), f"{name(page)}: {link} names no heading"


def test_every_page_can_be_reached() -> None:
    """From the README, following links, a reader comes to every page."""
    seen, queue = set(), [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        seen.add(page)
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links(page) if link[0] != "#"}
        queue += [each for each in targets if each.suffix == ".md" and each not in seen]
    assert set(PAGES) <= seen
