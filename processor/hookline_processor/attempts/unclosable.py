"""A coroutine into which no GeneratorExit is thrown."""

from collections.abc import Coroutine
from typing import Any

_WHY = "what it awaits ended with GeneratorExit, which would close it"


class Unclosable(Coroutine[Any, Any, None]):
    """Runs `coroutine` as the coroutine of a task, with a RuntimeError in the place of a GeneratorExit.

    If a handler awaits a task or future that fails with GeneratorExit, asyncio throws it into the task. Python takes that as
    the wish to close all coroutines of the task, so none of them could judge the attempt and await anything after it.
    """

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine

    def send(self, value: Any) -> Any:
        """Continue it with `value`."""
        return self._coroutine.send(value)

    def throw(self, error: Any, *rest: Any) -> Any:
        """Throw `error`, or a RuntimeError instead of a GeneratorExit."""
        if isinstance(error, GeneratorExit):
            replacement = RuntimeError(_WHY)
            replacement.__cause__ = error
            error = replacement
        return self._coroutine.throw(error, *rest)

    def close(self) -> None:
        """Close it."""
        self._coroutine.close()

    def __await__(self) -> Any:
        return self._coroutine.__await__()
