"""Looking at what Redis answered to several commands at once."""

from typing import Any

from hookline_shared.errors import HooklineError


def raise_first_error(answers: list[Any]) -> list[Any]:
    """Return `answers`, or raise the first error among them."""
    for answer in answers:
        if isinstance(answer, HooklineError):
            raise answer
    return answers
