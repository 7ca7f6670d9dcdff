"""Check that everything that ingress writes is read, and that all processors handle the same kinds."""

from collections.abc import Collection, Iterator
from typing import Final

from hookline_cli.doctor.finding import Finding, fine, problem, warning
from hookline_cli.doctor.subject import Subject
from hookline_cli.status.handled_kinds import differences
from hookline_cli.status.snapshot import count_of
from hookline_shared.clock import Clock, SystemClock
from hookline_shared.errors import HooklineError
from hookline_shared.observability.logs import get_logger
from hookline_shared.readers.survey import Gap, Survey, survey
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.backlog import partitions_in_use

_CHECK: Final = "processors"
_CLOCK_OF_OURS: Final = SystemClock()


async def check_readers(subject: Subject, clock: Clock = _CLOCK_OF_OURS) -> list[Finding]:
    """Look at the processors that are running. If Redis does not answer, another check says so."""
    if subject.shared is None or subject.hidden_redis:
        return []
    settings = subject.shared
    redis = RedisConnectionManager(settings.redis, settings.partitions, clock, get_logger("doctor"))
    try:
        await redis.monitor.locate()
        partitions = await partitions_in_use(redis)
        if partitions is None:
            return [fine(_CHECK, "none has been in this Redis yet")]
        return list(_findings(await survey(redis, partitions, list(settings.topics)), list(settings.topics)))
    except HooklineError:
        return []
    finally:
        await redis.close()


def _findings(found: Survey, written: Collection[str]) -> Iterator[Finding]:
    gaps = found.gaps(written)
    severity = problem if found.processors else warning  # they may be about to be started
    yield from (severity(_CHECK, *_without_full_stop(gap)) for gap in gaps)
    yield from (warning(_CHECK, *_without_full_stop(gap)) for gap in differences(found.processors))
    if not gaps:
        yield fine(_CHECK, f"{count_of(len(found.processors), 'processor')} running; every topic and partition is read")


def _without_full_stop(gap: Gap) -> Gap:
    return gap._replace(found=gap.found.removesuffix("."))
