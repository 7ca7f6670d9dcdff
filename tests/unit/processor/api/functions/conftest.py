"""Functions that note their calls begin without any."""

import pytest

from tests.support.processor.wrapped_functions import CALLS


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()
