"""`hookline mcp` as the process that an assistant starts."""

import asyncio
import os
import sys
from pathlib import Path

import redis

from tests.browser.conftest import aside
from tests.support.console.planted import TEXT, plant_dead_letters


def test_process_speaks_the_protocol(redis_url: str, redis_client: "redis.Redis", tmp_path: Path) -> None:
    """The command serves on standard input and output, where nothing else is printed."""
    from mcp import Client, StdioServerParameters  # noqa: PLC0415 - takes a second, which other tests need not wait for

    plant_dead_letters(redis_client, TEXT)
    code = "from hookline_cli.start import main; main()"
    environment = {"REDIS_URL": redis_url, "PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    server = StdioServerParameters(command=sys.executable, args=["-c", code, "mcp"], env=environment, cwd=tmp_path)

    async def ask() -> object:
        async with Client(server) as client:
            return (await client.call_tool("dead_letters", {})).structured_content

    found = aside(lambda: asyncio.run(ask()))
    assert isinstance(found, dict)
    assert found["total"] == 1
