"""A console on an empty Redis."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.console.local_console import LocalConsole, running_console


@pytest.fixture
async def console(redis_url: str, tmp_path: Path) -> AsyncIterator[LocalConsole]:
    """Yield a console with which people sign in by a link."""
    async with running_console(redis_url, tmp_path) as local:
        yield local
