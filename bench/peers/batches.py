"""The jobs that a peer is to be given: one per line, numbered from 0. The standard library alone, like `work`."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

_SIZE: Final = 50


def batches(lines: Iterable[str]) -> Iterator[list[tuple[int, str]]]:
    """Yield jobs, each a number and a form, as many at a time as may be under way at once."""
    jobs = ((number, line.rstrip()) for number, line in enumerate(lines))
    while batch := list(islice(jobs, _SIZE)):
        yield batch
