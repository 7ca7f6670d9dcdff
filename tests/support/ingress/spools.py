"""Spools on real files, closed after the test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from hookline_ingress.spool.spool import Spool
from hookline_shared.clock import Clock
from hookline_shared.observability.logs import Logger

Opener = Callable[..., Awaitable[Spool]]


@asynccontextmanager
async def spool_opener(path: Path, clock: Clock, logger: Logger) -> AsyncIterator[Opener]:
    """Yield an opener of spools, by default at `path`, and close them at the end."""
    made: list[Spool] = []

    async def open_spool(at: Path = path, max_mb: int = 64, prefix: str = "hookline") -> Spool:
        made.append(Spool(at, max_mb, clock, logger, prefix))
        await made[-1].open()
        return made[-1]

    yield open_spool
    for spool in made:
        await spool.close()
