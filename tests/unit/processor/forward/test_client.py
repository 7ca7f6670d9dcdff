"""The HTTP client of forwards."""

import pytest

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
