"""The HTTP client of forwards."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hookline_processor.forward.client import AppClient
from hookline_processor.forward.request import AppRequest


async def test_time_that_is_over() -> None:
    """A redirect may come at the last moment. aiohttp takes a time limit that is not above 0 for none."""
    client = AppClient()
    try:
        with pytest.raises(TimeoutError):
            await client.send(AppRequest("POST", "http://127.0.0.1:1/", {}, b""), -0.1)
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("sent", "found", "lost"),
    [
        (["a=1; Path=/one", "a=2; Path=/two"], [("a", "1", "/one"), ("a", "2", "/two")], 0),
        (["a=1; Path=/", "a=; Path=/old; Max-Age=0"], [("a", "1", "/"), ("a", "", "/old")], 0),
        (["a=" + "x" * 8192, "b=1"], [("b", "1", "")], 1),
        (["no cookie at all", "=1"], [], 2),
        ([], [], 0),
    ],
    ids=["two paths", "one set, one deleted", "8 kB", "not readable", "none"],
)
async def test_cookies_of_an_answer(sent: list[str], found: list[tuple[str, str, str]], lost: int) -> None:
    """Each Set-Cookie counts, also of names that come twice; those that cannot be kept are counted."""

    async def answer(_: web.Request) -> web.Response:
        response = web.Response()
        for line in sent:
            response.headers.add("Set-Cookie", line)
        return response

    app = web.Application()
    app.router.add_post("/", answer)
    client = AppClient()
    async with TestServer(app) as server:
        try:
            exchange = await client.send(AppRequest("POST", str(server.make_url("/")), {}, b""), 5)
        finally:
            await client.close()
    assert [(one.key, one.coded_value, one["path"]) for one in exchange.cookies] == found
    assert exchange.cookies_lost == lost
