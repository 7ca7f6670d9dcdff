"""Check that Redis answers, permits what is needed, persists what it stores, and has the layout that the settings name."""

from collections.abc import Iterator
from typing import Final

from hookline_cli.doctor.checks.redis_diagnostics import RedisDiagnostics, diagnose, read_layout
from hookline_cli.doctor.finding import Finding, fine, problem, warning
from hookline_cli.doctor.subject import Subject
from hookline_cli.settings.masking import mask_url
from hookline_ingress.settings import IngressSettings
from hookline_shared.clock import Clock, SystemClock
from hookline_shared.errors import HooklineError
from hookline_shared.event import SCHEMA
from hookline_shared.observability.logs import get_logger
from hookline_shared.redis.durability import Durability
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.redis.probe import Layout, describe
from hookline_shared.redis.server_info import risks
from hookline_shared.settings.base import SharedSettings
from hookline_shared.validation import field_of

_CHECK: Final = "redis"
_LAYOUT: Final = "partitions"
_CLOCK: Final = "clock"
_CLOCK_OF_OURS: Final = SystemClock()
_NEARLY_FULL: Final = 0.8
_SKEW_MS: Final = 2000
_USELESS: Final = "Webhooks go only to the spool, if there is one, and no event is handled."
_LOSES: Final = "Events that were acknowledged to Twilio can be lost."


async def check_redis(subject: Subject, clock: Clock = _CLOCK_OF_OURS) -> list[Finding]:
    """Check every master without changing anything."""
    if subject.hidden_redis:
        kept = "the REDIS_URL of `hookline up` has a password, so it was not saved"
        return [warning(_CHECK, kept, "Redis was not checked.", "Set REDIS_URL for this command, too.")]
    if subject.shared is None:
        return []
    settings = subject.shared
    redis = RedisConnectionManager(settings.redis, settings.partitions, clock, get_logger("doctor"))
    try:
        await redis.monitor.locate()
        durability = Durability(subject.ingress.durability if subject.ingress else _default_durability())
        found = await diagnose(redis, settings.redis.server.topology, settings.partitions, durability, clock)
        usable = all(one.obstacle is None for one in found)
        layout = _layout(await read_layout(redis), settings) if usable else []
        return [finding for one in found for finding in _server(one)] + [*layout]
    except HooklineError as error:
        reason = " ".join([str(error), *redis.monitor.warnings()])
        return [problem(_CHECK, reason, _USELESS, f"Fix that, or change REDIS_URL, which is {mask_url(settings.redis.url)}.")]
    finally:
        await redis.close()


def _default_durability() -> str:
    return str(field_of(IngressSettings, "durability").default)


def _server(one: RedisDiagnostics) -> Iterator[Finding]:
    name = f"{describe(one.facts)}, {one.facts.mode}"
    if one.obstacle:
        yield problem(_CHECK, one.obstacle, _USELESS, "Fix that, or change REDIS_URL.")
        return
    yield fine(_CHECK, f"{name}, answers in {one.answer_ms:.1f} ms")
    if one.refusal:
        yield problem(_CHECK, one.refusal, _USELESS, "Fix that; both services then recover by themselves.")
    if one.shortfall:
        yield problem(
            _CHECK,
            one.shortfall,
            "Webhooks go to the spool, if there is one, until it is full.",
            "Fix that, or lower INGRESS_DURABILITY.",
        )
    yield from _keeping(one)
    yield from _memory(one)
    yield _clock(one.ahead_ms)


def _keeping(one: RedisDiagnostics) -> Iterator[Finding]:
    remedies = {
        "eviction": "Run redis-cli CONFIG SET maxmemory-policy noeviction, and set it in redis.conf, too.",
        "no_aof": "Run redis-cli CONFIG SET appendonly yes, and set it in redis.conf, too.",
    }
    found = risks(one.facts)
    for reason, text in found.items():
        yield problem(_CHECK, text, _LOSES, remedies[reason])
    if "no_aof" not in found and one.appendfsync == "no":
        text = "appendfsync is no, so the operating system decides when writes reach the disk, often half a minute later"
        yield warning(
            _CHECK, text, "If the machine crashes, the events of that time are lost.", "Set appendfsync to everysec or always."
        )
    elif not found:
        yield fine(_CHECK, f"is persistent: appendonly yes (appendfsync {one.appendfsync or 'unknown'}), noeviction")


def _memory(one: RedisDiagnostics) -> Iterator[Finding]:
    used, limit = one.facts.used_bytes, one.facts.limit_bytes
    if limit and used >= limit * _NEARLY_FULL:
        text = f"{used / limit:.0%} of maxmemory is in use ({limit / 1e6:,.0f} MB)"
        yield warning(
            _CHECK,
            text,
            "When memory is full, Redis accepts no events; they go to the spool.",
            "Raise maxmemory, or see the backlog: hookline status.",
        )


def _clock(ahead_ms: int) -> Finding:
    seconds = abs(ahead_ms) / 1000
    if abs(ahead_ms) < _SKEW_MS:
        return fine(_CLOCK, f"clock skew between Redis and this machine: {seconds:.3f} s")
    text = f"clock skew: Redis is {seconds:.1f} s {'ahead' if ahead_ms > 0 else 'behind'}"
    meaning = "After another processor takes over, retries are that much too early or too late; ages are shown wrong."
    return warning(
        _CLOCK, text, meaning, "Synchronise the clocks of both machines, for example with chrony or systemd-timesyncd."
    )


def _layout(layout: Layout, settings: SharedSettings) -> Iterator[Finding]:
    if not layout:
        unused = f"no service has been in this Redis with the prefix {settings.redis.prefix}"
        yield fine(_LAYOUT, f"{unused}; the first will make {settings.partitions}")
        return
    found, schema = layout.get("partitions"), layout.get("schema")
    if found != str(settings.partitions):
        text = f"Redis holds data in {found} partitions, but HOOKLINE_PARTITIONS is {settings.partitions}"
        yield problem(
            _LAYOUT,
            text,
            "Services do not start: conversations would change their partition.",
            f"Set HOOKLINE_PARTITIONS to {found}.",
        )
    elif schema != SCHEMA:
        text = f"Redis holds data of schema {schema}, but this version of Hookline writes {SCHEMA}"
        yield problem(
            _LAYOUT,
            text,
            "Services do not start: they would misread it.",
            "Run the version that wrote it until its backlog is settled.",
        )
    else:
        yield fine(_LAYOUT, f"{found}, the same as in Redis")
