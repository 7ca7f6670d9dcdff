"""What people write, as it comes to a processor that runs in the test."""

from typing import Final

from msgspec.structs import replace

from hookline_shared.clock import SystemClock
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender
from hookline_shared.topics import MESSAGES
from tests.support.processor.conversations import incoming
from tests.support.processor.events import key_of
from tests.support.processor.feed import PARTITION
from tests.support.storage.stored import PARTITIONS

_WINDOW_S: Final = 3600
_LIMIT: Final = 1_000_000


class Inbox:
    """Puts messages of people into the stream of `PARTITION`, received now."""

    def __init__(self, broker: RedisConnectionManager) -> None:
        self._appender = Appender(broker, PARTITIONS, _WINDOW_S, _LIMIT)

    async def put(self, *texts: str, nth: int = 0, sender: str = "+14155550123", age_ms: int = 0) -> None:
        """Append a message for each of `texts`, all of one conversation, another one for each `nth`."""
        received_at = SystemClock().now_ms() - age_ms
        events = [replace(incoming(text, key_of(PARTITION, nth), sender), received_at=received_at) for text in texts]
        await self._appender.append([(MESSAGES, one) for one in events], 5)
