"""Read the dead letters of all partitions, or those with given ids."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from hookline_cli.dead.selection import Selection
from hookline_cli.output.progress import progress_reporter
from hookline_cli.redis_session import RedisSession
from hookline_shared.dead_letter import DeadLetter, DeadLetterId
from hookline_shared.errors import HooklineError
from hookline_shared.streams.dead_letters import DeadLetterStreams
from hookline_shared.streams.locate import server_time_ms

_AT_ONCE: Final = 8
_MOST_NAMED: Final = 500
"""Ids per read, which limits the memory for their letters."""


async def scan(reach: RedisSession, selection: Selection, see: Callable[[DeadLetter], None]) -> None:
    """Pass every letter that matches `selection` to `see`: those of one partition in the order in which they died.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    letters = DeadLetterStreams(reach.redis, reach.partitions)
    first, last = selection.bounds(await server_time_ms(reach.redis))
    turns = asyncio.Semaphore(_AT_ONCE)
    with progress_reporter("Reading dead letters", await letters.count()) as progress:

        async def look(partition: int) -> None:
            async with turns:
                async for page in letters.pages(partition, first, last):
                    for letter in filter(selection.fits, page):
                        see(letter)
                    progress.advance(len(page))

        await asyncio.gather(*map(look, range(reach.partitions)))


async def find_named(reach: RedisSession, ids: Sequence[DeadLetterId], see: Callable[[DeadLetter], None]) -> int:
    """Pass the letters with these `ids` to `see`; return how many were not found.

    Raises:
        HooklineError: if an id names a partition that does not exist.
        BrokerUnavailableError: if Redis did not answer.

    """
    if strange := next((letter_id for letter_id in ids if letter_id.partition >= reach.partitions), None):
        raise HooklineError(f"Dead letter {strange} not found: partitions are numbered from 0 to {reach.partitions - 1}.")
    letters = DeadLetterStreams(reach.redis, reach.partitions)
    missing = 0
    for at in range(0, len(ids), _MOST_NAMED):
        for letter in await letters.find(ids[at : at + _MOST_NAMED]):
            if letter is None:
                missing += 1
            else:
                see(letter)
    return missing
