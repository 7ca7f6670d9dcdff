"""How the time of a computation grows with its input."""

from collections.abc import Callable
from time import process_time
from typing import Final, TypeVar

T = TypeVar("T")

TIMES: Final = 8
LINEAR: Final = 24
"""Eight times the input takes eight times as long if the time is linear, and 64 times if it is quadratic: well between them."""


def growth(work: Callable[[T], object], make: Callable[[int], T], size: int) -> float:
    """Return how many times as long `work` takes for `make(8 * size)` as for `make(size)`: the shortest of several times."""
    short, long = make(size), make(TIMES * size)
    return min(_time(work, long) for _ in range(3)) / max(min(_time(work, short) for _ in range(9)), 1e-5)


def _time(work: Callable[[T], object], value: T) -> float:
    began = process_time()
    work(value)
    return process_time() - began
