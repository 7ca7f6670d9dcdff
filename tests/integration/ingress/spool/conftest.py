"""Spools on real files."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.ingress.spools import Opener, spool_opener
from tests.support.observability.logbook import Logbook
from tests.support.time.manual_clock import ManualClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "spool.db"


@pytest.fixture
async def opened(path: Path, clock: ManualClock, logbook: Logbook) -> AsyncIterator[Opener]:
    """Yield an opener of spools."""
    async with spool_opener(path, clock, logbook.logger) as opener:
        yield opener
