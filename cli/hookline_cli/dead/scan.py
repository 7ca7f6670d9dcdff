"""Read the dead letters of all partitions, or those with given ids."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from hookline_cli.dead.selection import Selection
from hookline_cli.known_names import check_topics
from hookline_cli.output.progress import Reporting, progress_reporter
from hookline_cli.redis_session import RedisSession
from hookline_shared.dead_letter import DeadLetter, DeadLetterId
from hookline_shared.errors import HooklineError
from hookline_shared.streams.dead_letters import DeadLetterStreams
from hookline_shared.streams.locate import server_time_ms

_CONCURRENT_PARTITIONS: Final = 8


async def scan(
    redis_session: RedisSession,
    selection: Selection,
    add: Callable[[DeadLetter], None],
    reporting: Reporting = progress_reporter,
) -> None:
    """Call `add` with every letter that matches `selection`: those of one partition in the order in which they died.

    Raises:
        UnknownNameError: if none matches, and a topic of `selection` is none of the settings. Letters may be of a topic that
            was removed from these.
        BrokerUnavailableError: if Redis did not answer.

    """
    letters = DeadLetterStreams(redis_session.redis, redis_session.partitions)
    first, last = selection.bounds(await server_time_ms(redis_session.redis))
    limit = asyncio.Semaphore(_CONCURRENT_PARTITIONS)
    matching = 0
    with reporting("Reading dead letters", await letters.count()) as progress:

        async def scan_partition(partition: int) -> None:
            nonlocal matching
            async with limit:
                async for page in letters.pages(partition, first, last):
                    for letter in filter(selection.fits, page):
                        matching += 1
                        add(letter)
                    progress.advance(len(page))

        await asyncio.gather(*map(scan_partition, range(redis_session.partitions)))
    if not matching:
        check_topics(selection.topics, redis_session.topics)


async def find_named(redis_session: RedisSession, ids: Sequence[DeadLetterId], add: Callable[[DeadLetter], None]) -> int:
    """Call `add` with each letter that has one of `ids`; return how many were not found.

    Raises:
        HooklineError: if an id names a partition that does not exist.
        BrokerUnavailableError: if Redis did not answer.

    """
    if out_of_range := next((letter_id for letter_id in ids if letter_id.partition >= redis_session.partitions), None):
        raise HooklineError(
            f"Dead letter {out_of_range} not found: partitions are numbered from 0 to {redis_session.partitions - 1}."
        )
    letters = DeadLetterStreams(redis_session.redis, redis_session.partitions)
    missing = 0
    async for letter in letters.find(ids):
        if letter is None:
            missing += 1
        else:
            add(letter)
    return missing
