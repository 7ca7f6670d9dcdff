"""Does Redis answer, may we use it, does it keep what it is given, and is the data in it laid out as the settings say?"""

from collections.abc import Iterator
from typing import Final

from hookline_cli.checks.finding import Finding, fine, problem, warning
from hookline_cli.checks.subject import Subject
from hookline_cli.masking import mask_url
from hookline_ingress.settings import IngressSettings
from hookline_shared.broker.checkup import Checkup, examine, read_layout
from hookline_shared.broker.connection import RedisConnectionManager
from hookline_shared.broker.durability import Durability
from hookline_shared.broker.facts import risks
from hookline_shared.broker.probe import Layout, describe
from hookline_shared.clock import Clock, SystemClock
from hookline_shared.errors import HooklineError
from hookline_shared.event import SCHEMA
from hookline_shared.logs import get_logger
from hookline_shared.settings import SharedSettings

_CHECK: Final = "redis"
_LAYOUT: Final = "partitions"
_CLOCK: Final = "clock"
_CLOCK_OF_OURS: Final = SystemClock()
_NEARLY_FULL: Final = 0.8
_SKEW_MS: Final = 2000
_USELESS: Final = "Webhooks can only go to the spool, if there is one, and nothing is handled."
_LOSES: Final = "Events that Twilio was told are safe can be lost."


async def check_redis(subject: Subject, clock: Clock = _CLOCK_OF_OURS) -> list[Finding]:
    """Look at every master, without changing anything."""
    if subject.hidden_redis:
        kept = "the REDIS_URL of `hookline up` has a password, so it was not written down"
        return [warning(_CHECK, kept, "Redis was not looked at.", "Set REDIS_URL here, too.")]
    if subject.shared is None:
        return []
    settings = subject.shared
    redis = RedisConnectionManager(settings.redis_options(), settings.partitions, clock, get_logger("doctor"))
    try:
        await redis.monitor.locate()
        durability = Durability(subject.ingress.durability if subject.ingress else _default_durability())
        found = await examine(redis, settings.redis_options().url.topology, settings.partitions, durability, clock)
        usable = all(one.obstacle is None for one in found)
        layout = _layout(await read_layout(redis), settings) if usable else []
        return [finding for one in found for finding in _server(one)] + [*layout]
    except HooklineError as error:
        reason = " ".join([str(error), *redis.monitor.warnings()])
        return [problem(_CHECK, reason, _USELESS, f"Fix that, or REDIS_URL, which is {mask_url(settings.redis_url)}.")]
    finally:
        await redis.close()


def _default_durability() -> str:
    return str(IngressSettings.model_fields["durability"].default)


def _server(one: Checkup) -> Iterator[Finding]:
    name = f"{describe(one.facts)}, {one.facts.mode}"
    if one.obstacle:
        yield problem(_CHECK, one.obstacle, _USELESS, "Fix that, or REDIS_URL.")
        return
    yield fine(_CHECK, f"{name}, answers in {one.answer_ms:.1f} ms")
    if one.refusal:
        yield problem(_CHECK, one.refusal, _USELESS, "Fix that; both services go on by themselves then.")
    if one.shortfall:
        yield problem(
            _CHECK, one.shortfall, "Webhooks go to the spool, if there is one, until it is full.", "Fix that, or ask for less."
        )
    yield from _keeping(one)
    yield from _memory(one)
    yield _clock(one.ahead_ms)


def _keeping(one: Checkup) -> Iterator[Finding]:
    remedies = {
        "eviction": "redis-cli CONFIG SET maxmemory-policy noeviction, and in redis.conf.",
        "no_aof": "redis-cli CONFIG SET appendonly yes, and in redis.conf.",
    }
    found = risks(one.facts)
    for reason, text in found.items():
        yield problem(_CHECK, text, _LOSES, remedies[reason])
    if "no_aof" not in found and one.appendfsync == "no":
        text = "appendfsync is no, so the system decides when what was written reaches the disk, often half a minute later"
        yield warning(
            _CHECK, text, "A machine that crashes loses the events of that time.", "Set appendfsync everysec, or always."
        )
    elif not found:
        yield fine(_CHECK, f"keeps what it is given: appendonly yes (appendfsync {one.appendfsync or 'unknown'}), noeviction")


def _memory(one: Checkup) -> Iterator[Finding]:
    used, limit = one.facts.used_bytes, one.facts.limit_bytes
    if limit and used >= limit * _NEARLY_FULL:
        text = f"{used / limit:.0%} of maxmemory is in use ({limit / 1e6:,.0f} MB)"
        yield warning(
            _CHECK,
            text,
            "Above it Redis takes no events; they go to the spool.",
            "Raise maxmemory, or see what waits: hookline status.",
        )


def _clock(ahead_ms: int) -> Finding:
    seconds = abs(ahead_ms) / 1000
    if abs(ahead_ms) < _SKEW_MS:
        return fine(_CLOCK, f"the one of Redis differs by {seconds:.3f} s")
    text = f"the one of Redis is {seconds:.1f} s {'ahead' if ahead_ms > 0 else 'behind'}"
    meaning = "Retries come that much early or late after another processor takes over, and ages are shown wrong."
    return warning(_CLOCK, text, meaning, "Let both machines keep time, for example with chrony or systemd-timesyncd.")


def _layout(layout: Layout, settings: SharedSettings) -> Iterator[Finding]:
    if not layout:
        unused = f"no service has been in this Redis with the prefix {settings.prefix}"
        yield fine(_LAYOUT, f"{unused}; the first will make {settings.partitions}")
        return
    found, schema = layout.get("partitions"), layout.get("schema")
    if found != str(settings.partitions):
        text = f"Redis holds data in {found} partitions, and HOOKLINE_PARTITIONS is {settings.partitions}"
        yield problem(
            _LAYOUT, text, "A service stops rather than scatter conversations.", f"Set HOOKLINE_PARTITIONS to {found}."
        )
    elif schema != SCHEMA:
        text = f"Redis holds data of schema {schema}, and this version of Hookline writes {SCHEMA}"
        yield problem(
            _LAYOUT,
            text,
            "A service stops rather than misread it.",
            "Run the version that wrote it until its backlog is settled.",
        )
    else:
        yield fine(_LAYOUT, f"{found}, as in Redis")
