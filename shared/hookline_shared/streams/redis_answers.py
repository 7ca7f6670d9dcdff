"""The answers of Redis to several commands that were sent together."""

from collections.abc import Sequence
from typing import Any

from hookline_shared.errors import HooklineError


def raise_first_error(answers: Sequence[Any]) -> Sequence[Any]:
    """Return `answers`.

    Raises:
        HooklineError: the first error among them.

    """
    for answer in answers:
        if isinstance(answer, HooklineError):
            raise answer
    return answers
