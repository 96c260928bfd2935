"""Lists that come in pages."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from headgate.core.messages import ToolResult
from headgate.testing.tool_kit import check_failure, check_result, opened, site
from headgate.tools.http import KIND

PAGES = [["a", "b"], ["c"], ["d"]]


async def listing(request: web.Request) -> web.Response:
    """Three pages, with every way to find the next one; `?broken=` makes that way lead astray."""
    number = int(request.query.get("at", "0"))
    page = PAGES[number] if number < len(PAGES) else []
    more = number + 1 < len(PAGES)
    following = {"next": f"/list?at={number + 1}", "cursor": number + 1} if more else {"next": None, "cursor": None}
    broken = request.query.get("broken")
    if broken is not None:
        following["next"] = broken
    headers = {"Link": f'</list?at={number + 1}>; rel="next last"'} if more else {}
    return web.json_response({"items": page, "query": request.query_string, **following}, headers=headers)


async def plain(request: web.Request) -> web.Response:
    """Pages that are bare lists, counted from one."""
    number = int(request.query["page"]) - 1
    return web.json_response(PAGES[number] if number < len(PAGES) else [])


def body_of(url: str, paginate: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"description": "x", "request": {"url": url}, "paginate": paginate, **keys}


async def read(path: str, paginate: dict[str, Any], **keys: Any) -> ToolResult:
    async with (
        site({"/list": listing, "/plain": plain}) as base,
        opened(KIND, body_of(base + path, paginate, **keys)) as tool,
    ):
        return await check_result(tool, {})


@pytest.mark.parametrize(
    ("path", "paginate", "pages"),
    [
        ("/list", {"next": "next", "items": "items"}, 3),
        ("/list", {"cursor": "cursor", "param": "at", "items": "items"}, 3),
        ("/list", {"link": True, "items": "items"}, 3),
        ("/list", {"page": "at", "start": 0, "items": "items"}, 4),
        ("/plain", {"page": "page"}, 4),
    ],
)
async def test_pages_are_put_together(path: str, paginate: dict[str, Any], pages: int) -> None:
    """Each way to the next page leads through all of them."""
    result = await read(path, paginate)
    assert (result.structured, result.meta) == (["a", "b", "c", "d"], {"pages": pages})


async def test_the_number_of_pages_is_bounded() -> None:
    """What was read is the result, and it says that there is more."""
    result = await read("/list", {"next": "next", "items": "items", "max_pages": 2})
    assert (result.structured, result.meta) == (["a", "b", "c"], {"pages": 2, "more": True})


async def test_output_shapes_the_whole_list() -> None:
    """`output:` sees the items of all pages."""
    result = await read("/list", {"next": "next", "items": "items"}, output="{n: length(@), last: [-1]}")
    assert result.structured == {"n": 4, "last": "d"}


async def test_parameters_of_the_request_are_kept() -> None:
    """The cursor is added to the query, and replaces the one before it."""
    paginate = {"cursor": "cursor", "param": "at", "items": "[query]"}
    result = await read("/list?q=a%20b", paginate)
    assert result.structured == ["q=a b", "q=a b&at=1", "q=a b&at=2"]


@pytest.mark.parametrize(
    ("broken", "paginate", "message"),
    [
        ("http://127.0.0.1:1/", {"next": "next", "items": "items"}, "at another host"),
        ("//evil.example/list", {"next": "next", "items": "items"}, "at another host"),
        ("/list?broken=/list", {"next": "`1`", "items": "items"}, "not text"),
        ("", {"next": "'/list?broken='", "items": "items"}, "names itself"),
        ("", {"next": "next", "items": "query"}, "not a list"),
        ("", {"next": "sum(items)", "items": "items"}, "does not fit"),
    ],
)
async def test_pages_that_lead_astray_are_errors(broken: str, paginate: dict[str, Any], message: str) -> None:
    """The next page stays at its host, since it gets the credentials, and goes forward."""
    async with (
        site({"/list": listing}) as base,
        opened(KIND, body_of(f"{base}/list?broken={broken}", paginate)) as tool,
    ):
        failure = await check_failure(tool, {})
    assert failure.code == "invalid_result"
    assert message in failure.message


async def test_the_size_is_that_of_all_pages() -> None:
    """`max_bytes` is for the pages together."""
    paginate = {"next": "next", "items": "items"}
    assert len((await read("/list", paginate, max_bytes="200B")).structured) == 4
    async with (
        site({"/list": listing}) as base,
        opened(KIND, body_of(f"{base}/list", paginate, max_bytes="120B")) as tool,
    ):
        assert (await check_failure(tool, {})).code == "result_too_large"


async def test_an_error_on_a_later_page_is_the_result() -> None:
    """A list that is not whole is not passed off as one."""

    async def fails(request: web.Request) -> web.Response:
        return await listing(request) if "at" not in request.query else web.Response(status=500)

    async with (
        site({"/list": fails}) as base,
        opened(KIND, body_of(f"{base}/list", {"link": True, "items": "items"})) as tool,
    ):
        assert (await check_failure(tool, {})).details == {"status": 500}
