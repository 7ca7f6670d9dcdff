"""A process that puts events into the spool at argv[1] until it is killed, and says of each wave when it is acknowledged."""

import asyncio
import sys
from itertools import count
from pathlib import Path

from hookline_ingress.spool.spool import Spool
from hookline_shared.clock import SystemClock
from hookline_shared.topics import MESSAGES
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event

WAVE = 20


async def main() -> None:
    spool = Spool(Path(sys.argv[1]), 64, SystemClock(), Logbook().logger)
    await spool.open()
    for first in count(0, WAVE):
        await asyncio.gather(*(spool.put(MESSAGES, event(str(number))) for number in range(first, first + WAVE)))
        print(first + WAVE, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
