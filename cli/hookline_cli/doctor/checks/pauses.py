"""Check that no pause was forgotten."""

import asyncio
from collections.abc import Sequence
from typing import Final

from hookline_cli.doctor.finding import Finding, fine, warning
from hookline_cli.doctor.subject import Subject
from hookline_cli.output.redaction import Redaction
from hookline_cli.pause.rows import describe
from hookline_cli.status.snapshot import count_of
from hookline_shared.clock import SystemClock
from hookline_shared.errors import HooklineError
from hookline_shared.observability.logs import get_logger
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.backlog import backlogs, partitions_in_use
from hookline_shared.streams.locate import server_time_ms
from hookline_shared.streams.waiting.pauses import Pause, PauseStore

_CHECK: Final = "pauses"
_LONG_MS: Final = 86_400_000
_WATCH_S: Final = 1.0
"""How long a backlog is watched to see whether it grows."""


async def check_pauses(subject: Subject) -> list[Finding]:
    """Warn about pauses that are old and have no end, and those of topics whose backlog grows."""
    if subject.hidden_redis or subject.shared is None:
        return []
    settings = subject.shared
    redis = RedisConnectionManager(settings.redis, settings.partitions, SystemClock(), get_logger("doctor"))
    try:
        await redis.monitor.locate()
        now_ms = await server_time_ms(redis)
        pauses = [pause for pause in await PauseStore(redis).read() if not pause.has_ended(now_ms)]
        paused = [topic for topic in settings.topics if any(pause.covers_topic(topic) for pause in pauses)]
        growth = await _growth(redis, paused) if paused else {}
        return findings(pauses, growth, now_ms)
    except HooklineError:
        return []  # the check of Redis reports it
    finally:
        await redis.close()


async def _growth(redis: RedisConnectionManager, topics: Sequence[str]) -> dict[str, int]:
    """Return by how many events the backlog of each topic grows while it is watched."""
    partitions = await partitions_in_use(redis)
    if partitions is None:
        return {}
    before = await backlogs(redis, partitions, topics)
    await asyncio.sleep(_WATCH_S)
    after = await backlogs(redis, partitions, topics)
    return {topic: after[topic].events - before[topic].events for topic in topics}


def findings(pauses: Sequence[Pause], growth: dict[str, int], now_ms: int) -> list[Finding]:
    """Return the findings about `pauses`; `growth` is by how many events the backlog of each paused topic grew."""
    found = [finding for pause in pauses for finding in _about(pause, growth, now_ms)]
    if pauses and not found:
        return [fine(_CHECK, f"{count_of(len(pauses), 'pause')}, none of them old: see `hookline pause list`")]
    return found


def _about(pause: Pause, growth: dict[str, int], now_ms: int) -> list[Finding]:
    found, remedy = [], f"If it is not needed any more: hookline resume {pause.id}."
    described = describe(pause, Redaction(reveal=False), now_ms)
    if not pause.until_ms and now_ms - pause.since_ms > _LONG_MS:
        found.append(warning(_CHECK, f"older than a day, without an end: {described}", "Its events are not attempted.", remedy))
    growing = [f"{topic} by {number}" for topic, number in growth.items() if number > 0 and pause.covers_topic(topic)]
    if growing:
        meaning = (
            "New events are accepted and not attempted. At INGRESS_BACKLOG_LIMIT they go to the spool, and when that is full, "
            "webhooks are refused."
        )
        within = f"the backlog grows within {_WATCH_S:g} s ({', '.join(growing)}): {described}"
        found.append(warning(_CHECK, within, meaning, remedy))
    return found
