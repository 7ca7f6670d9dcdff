"""Which partitions the ledger's writers of the tests own, and how far they are."""

from collections.abc import Callable

import redis
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.database.errors import DatabaseUnavailableError
from tests.support.storage.keys import keys
from tests.support.storage.ledger import content

OWNED = [2, 5]
BATCH = 20
Put = Callable[..., None]


def is_outage(error: BaseException) -> bool:
    return isinstance(error, DatabaseUnavailableError)


def waiting(client: "redis.Redis") -> int:
    return sum(int(client.xlen(keys.ledger(number))) for number in range(8))


async def sids(engine: AsyncEngine) -> list[str]:
    return [row["sid"] for row in await content(engine, "messages")]
