"""Registrations that are refused."""

import re
from collections.abc import Callable
from typing import Final

import pytest

from hookline import HandlersError

_PLACE: Final = re.compile(r"/tests/\S+\.py, line \d")


def refusal(register: Callable[[], object]) -> str:
    """Return why `register` is refused: one line, which names the place of the call."""
    with pytest.raises(HandlersError) as caught:
        register()
    message = str(caught.value)
    assert _PLACE.search(message)
    assert "\n" not in message
    return message
