"""A server of ingress that listens, with a handler of the tests."""

from collections.abc import AsyncIterator

import pytest

from tests.support.ingress.http_server import ServerHarness, listening_harness
from tests.support.observability.logbook import Logbook
from tests.support.time.manual_clock import ManualClock


@pytest.fixture
async def harness(clock: ManualClock, logbook: Logbook) -> AsyncIterator[ServerHarness]:
    """Yield a server that listens."""
    async with listening_harness(clock, logbook) as harness:
        yield harness
