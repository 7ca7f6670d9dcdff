"""Every alert there is: what it watches, when it is raised, what it means, and what to do.

The one list that the services, their settings, the documentation and the tests go by. `docs/runbook.md` has a section for each.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from hookline_shared.alerts.limits import Level, Limit
from hookline_shared.alerts.values import Unit

_WARNING, _CRITICAL = Level.WARNING, Level.CRITICAL
_RUNBOOK: Final = "docs/runbook.md"


class Watcher(StrEnum):
    """Which service watches."""

    INGRESS = "ingress"
    PROCESSOR = "processor"
    BOTH = "both"


class Rule(NamedTuple):
    """One kind of alert.

    `watches` says what its value is, `per` of what there may be several; `happened` is what it says once it is raised, with the
    `{value}`, the `{threshold}`, the `{subject}` and the `{window}` in it. `falls` tells that low values are the bad ones;
    `critical` is the one whose level is never lower, alone or with its address.
    """

    name: str
    watcher: Watcher
    limit: Limit
    unit: Unit
    watches: str
    happened: str
    meaning: str
    remedy: str
    per: str = ""
    falls: bool = False
    critical: str = ""

    @property
    def runbook(self) -> str:
        """Where more is written about it."""
        return f"{_RUNBOOK}#{self.name.replace('_', '-')}"

    def limit_of(self, subject: str, limit: Limit) -> Limit:
        """Give `limit` as it is for `subject`."""
        if self.critical and subject.partition(" ")[0] == self.critical:
            return limit.model_copy(update={"level": Level.CRITICAL})
        return limit


def _limit(level: Level, threshold: float, clear: float, for_s: float, window_s: float | None = None) -> Limit:
    return Limit(threshold=threshold, clear=clear, for_s=for_s, window_s=window_s, level=level)


_INGRESS: Final = (
    Rule(
        "reply_slow",
        Watcher.INGRESS,
        _limit(_WARNING, 0.25, 0.1, 30, 300),
        Unit.SECONDS,
        "time within which 99 % of the requests, and all but two, were answered, from their first byte on",
        "1 % of the requests of the last {window}, and at least three, were answered after {value} or later "
        "(alert at {threshold})",
        "Twilio gives up after 15 s, and a caller hears silence until then.",
        "See which stage takes the time in hookline_ingress_stage_seconds: read is the sender's network, write is Redis or the "
        "spool's disk, the others are this machine's CPU.",
    ),
    Rule(
        "write_slow",
        Watcher.INGRESS,
        _limit(_WARNING, 0.1, 0.05, 30, 300),
        Unit.SECONDS,
        "time within which Redis took 99 % of the batches, and all but two",
        "Redis took {value} or longer for 1 % of the writes of the last {window}, and at least three (alert at {threshold})",
        "Replies wait for it; what takes longer than INGRESS_WRITE_BUDGET_MS goes through the spool.",
        "Look at the load, the disk and the network of Redis: `redis-cli --latency`, `SLOWLOG GET`.",
    ),
    Rule(
        "refusals_high",
        Watcher.INGRESS,
        _limit(_CRITICAL, 0.01, 0.002, 10, 60),
        Unit.SHARE,
        "share of the requests that were answered with a 5xx, of those and the accepted ones",
        "{value} of the requests of the last {window} that should be accepted got a 5xx (alert at {threshold})",
        "Twilio does not send most of them again, so customers' messages are being lost.",
        "`outcome` in hookline_ingress_requests_total says why: overloaded wants more ingress processes, "
        "redis_unavailable a spool, spool_full or backlog_full a Redis and processors that work.",
    ),
    Rule(
        "signatures_failing",
        Watcher.INGRESS,
        _limit(_CRITICAL, 0.1, 0.02, 10, 300),
        Unit.SHARE,
        "share of the signed requests whose signature was wrong, or whose address is turned away for that; at least three",
        "the signatures of {value} of the signed requests of the last {window} were wrong (alert at {threshold})",
        "They are refused. If Twilio sent them, its webhooks are being lost; else somebody forges some.",
        "Compare PUBLIC_URL with the URL in the Twilio console, and TWILIO_AUTH_TOKEN with the account's token. "
        "`hookline doctor` helps.",
    ),
    Rule(
        "spool_filling",
        Watcher.INGRESS,
        _limit(_CRITICAL, 0.5, 0.3, 10),
        Unit.SHARE,
        "share of INGRESS_SPOOL_MAX_MB in use",
        "the spool is {value} full (alert at {threshold})",
        "Redis does not take what comes. When the spool is full, webhooks get a 503.",
        "Bring Redis back, or if a backlog is full start processors; else raise INGRESS_SPOOL_MAX_MB. "
        "`hookline status` says which.",
    ),
    Rule(
        "spool_waiting",
        Watcher.INGRESS,
        _limit(_WARNING, 60, 0, 0),
        Unit.SECONDS,
        "time for which there have been events in the spool",
        "webhooks have gone through the spool for {value} (alert at {threshold})",
        "They are safe on this machine's disk, and nobody handles them yet.",
        "`hookline status` says what keeps them there: most likely Redis is away or a backlog is full.",
    ),
)

_PROCESSOR: Final = (
    Rule(
        "backlog_high",
        Watcher.PROCESSOR,
        _limit(_WARNING, 0.5, 0.4, 30),
        Unit.SHARE,
        "unsettled events, as a share of INGRESS_BACKLOG_LIMIT",
        "the backlog of topic {subject} is at {value} of its limit (alert at {threshold})",
        "At the limit, webhooks go to the spool, and when that is full they get a 503.",
        "Start more processors, raise PROCESSOR_CONCURRENCY, or mend the handlers that hold it up: `hookline status`.",
        per="topic",
    ),
    Rule(
        "backlog_growing",
        Watcher.PROCESSOR,
        _limit(_WARNING, 3600, 7200, 60, 300),
        Unit.SECONDS,
        "time until the backlog is at INGRESS_BACKLOG_LIMIT if it grows on as it does",
        "the backlog of topic {subject} grows: at this pace it is full in {value} (alert at {threshold})",
        "Events come faster than they are handled.",
        "Start more processors or raise PROCESSOR_CONCURRENCY, unless the handlers fail or have become slow: mend those first.",
        per="topic",
        falls=True,
    ),
    Rule(
        "oldest_event_old",
        Watcher.PROCESSOR,
        _limit(_WARNING, 300, 60, 15),
        Unit.SECONDS,
        "age of the oldest event that is not settled",
        "the oldest event of topic {subject} has waited for {value} (alert at {threshold})",
        "Somebody has had no answer for so long. Events that wait for a retry count, too.",
        "`hookline status` tells whether there are too few workers (a backlog) or failing handlers (retrying); "
        "the log says why.",
        per="topic",
    ),
    Rule(
        "dead_letters_growing",
        Watcher.PROCESSOR,
        _limit(_WARNING, 1, 0, 0, 300),
        Unit.COUNT,
        "events that became dead letters",
        "{value} became dead letters within the last {window} (alert at {threshold})",
        "Their handlers rejected them, or failed until the attempts were used up. They are kept, and nobody works on them.",
        "`hookline dead list` shows them with the reason. Mend it, then `hookline dead replay`.",
    ),
    Rule(
        "data_gone",
        Watcher.PROCESSOR,
        _limit(_CRITICAL, 1, 0, 0, 300),
        Unit.COUNT,
        "partitions whose consumer groups were gone from Redis, and pending events whose body was",
        "Redis has lost data: it was noticed {value} times within the last {window} (alert at {threshold})",
        "Events that were accepted and not yet handled are gone.",
        "Find out who flushed, trimmed or replaced it, or why it came back with less than it had (its log; `hookline doctor`), "
        "before more is lost.",
    ),
    Rule(
        "redis_at_risk",
        Watcher.PROCESSOR,
        _limit(_WARNING, 1, 0, 10),
        Unit.COUNT,
        "1 while Redis is set up in a way that can lose events",
        "Redis is set up in a way that can lose events: {subject}",
        "What was accepted may be gone after a restart (no_aof) or when memory runs short (eviction).",
        "Set `appendonly yes` (no_aof) and `maxmemory-policy noeviction` (eviction) in Redis: see docs/redis.md.",
        per="risk",
    ),
    Rule(
        "handlers_failing",
        Watcher.PROCESSOR,
        _limit(_WARNING, 0.2, 0.05, 30, 300),
        Unit.SHARE,
        "share of the attempts that raised or ran out of time, Reject and RetryLater aside; of at least five",
        "{value} of the attempts at {subject} of the last {window} failed (alert at {threshold})",
        "Their events are tried again with longer and longer pauses, and are dead letters after PROCESSOR_MAX_ATTEMPTS.",
        "The log has a line `attempt failed` with the traceback for each.",
        per="kind",
    ),
    Rule(
        "ledger_behind",
        Watcher.PROCESSOR,
        _limit(_WARNING, 0.1, 0.05, 30),
        Unit.SHARE,
        "settled events that wait for the database, as a share of LEDGER_BACKLOG_LIMIT",
        "as many settled events wait for the ledger's database as {value} of what may (alert at {threshold})",
        "Events are handled; their history is late. At the limit nothing is handled any more.",
        "See that the database is up, reachable and fast enough: /readyz?verbose of the processor says what it answered.",
    ),
)

_BOTH: Final = (
    Rule(
        "breaker_open",
        Watcher.BOTH,
        _limit(_WARNING, 1, 0, 10),
        Unit.COUNT,
        "1 while a breaker is not closed",
        "{subject} has been failing, and is left alone until a probe of it succeeds",
        "What needs it waits: webhooks go to the spool without Redis, events wait without what their handlers talk to.",
        "Mend or restart what the breaker is named after. It closes by itself within seconds.",
        per="breaker",
        critical="redis",
    ),
    Rule(
        "loop_lagging",
        Watcher.BOTH,
        _limit(_WARNING, 0.25, 0.1, 15, 5),
        Unit.SECONDS,
        "the longest time for which the event loop was late",
        "the event loop was late by up to {value} within the last {window} (alert at {threshold})",
        "Everything in this process waits meanwhile: replies, handlers, leases.",
        "A handler blocks it (`event loop blocked` in the log names it): await instead, or make it a plain def. "
        "Or the machine has too little CPU.",
    ),
    Rule(
        "pool_saturated",
        Watcher.BOTH,
        _limit(_WARNING, 1, 0, 10),
        Unit.COUNT,
        "calls that wait for a connection since all are in use",
        "all connections of pool {subject} are in use, and calls wait for one: {value} now",
        "Work is held up, and fails if it waits for too long.",
        "See why the server is slow; if it is not, raise REDIS_POOL_SIZE (for database: DATABASE_POOL_SIZE).",
        per="pool",
    ),
    Rule(
        "disk_low",
        Watcher.BOTH,
        _limit(_CRITICAL, 1024, 1536, 30),
        Unit.MIB,
        "free MiB on the disk of the spool, or of the ledger in SQLite",
        "{value} are free on the disk of the {subject} (alert at {threshold})",
        "Without room the spool takes nothing, so webhooks get a 503 while Redis is away, and the ledger waits.",
        "Make room on that disk, or move the file: INGRESS_SPOOL_PATH, DATABASE_URL.",
        per="disk",
        falls=True,
    ),
)

RULES: Final = MappingProxyType({rule.name: rule for rule in (*_INGRESS, *_PROCESSOR, *_BOTH)})
"""By name."""
