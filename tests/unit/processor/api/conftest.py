"""Hooks and lifespans as the processor runs them."""

import pytest

from hookline import Handlers
from hookline_processor.api.lifespan import Lifespan
from hookline_shared.clock import SystemClock
from tests.support.observability.logbook import Logbook


@pytest.fixture
def lifespan(handlers: Handlers, logbook: Logbook) -> Lifespan:
    return Lifespan(handlers, SystemClock(), logbook.logger, shutdown_s=0.01)
