"""Handlers, and threads for those that are plain functions."""

from collections.abc import Iterator

import pytest

from hookline import Handlers
from hookline_processor.attempts.threads import Threads


@pytest.fixture
def threads() -> Iterator[Threads]:
    made = Threads(2)
    yield made
    made.close()


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()
