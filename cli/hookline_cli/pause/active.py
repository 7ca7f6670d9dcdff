"""Read the pauses that have not ended, and remove the others."""

from typing import NamedTuple

from hookline_cli.redis_session import RedisSession
from hookline_shared.streams.locate import server_time_ms
from hookline_shared.streams.waiting.pauses import Pause, PauseStore


class ActivePauses(NamedTuple):
    """The pauses that hold events, and the time by the clock of Redis."""

    pauses: list[Pause]
    now_ms: int


async def read_active(redis_session: RedisSession) -> ActivePauses:
    """Return the pauses that hold events. Those that have ended are removed: the processors have resumed what they held.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    store = PauseStore(redis_session.redis)
    now_ms = await server_time_ms(redis_session.redis)
    pauses = await store.read()
    if ended := [pause.id for pause in pauses if pause.has_ended(now_ms)]:
        await store.remove(ended)
    return ActivePauses([pause for pause in pauses if not pause.has_ended(now_ms)], now_ms)
