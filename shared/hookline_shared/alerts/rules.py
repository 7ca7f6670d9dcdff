"""Every alert: what it measures, when it fires, what it means, and how to fix it.

The services, the documentation and the tests read this list; `docs/runbook.md` has a section for each."""

from types import MappingProxyType
from typing import Final

from hookline_shared.alerts.breaker_impacts import IMPACTS
from hookline_shared.alerts.message_rules import MESSAGE_RULES
from hookline_shared.alerts.rule import Rule, Watcher
from hookline_shared.alerts.thresholds import Level, Threshold
from hookline_shared.alerts.units import Unit

_WARNING, _CRITICAL = Level.WARNING, Level.CRITICAL


def _limit(level: Level, threshold: float, clear: float, for_s: float, window_s: float | None = None) -> Threshold:
    return Threshold(threshold=threshold, clear=clear, for_s=for_s, window_s=window_s, level=level)


_INGRESS: Final = (
    Rule(
        "reply_slow",
        Watcher.INGRESS,
        _limit(_WARNING, 0.25, 0.1, 30, 300),
        Unit.SECONDS,
        "99th percentile of the response time, from a request's first byte; below 200 requests, the third-slowest",
        "The slowest 1 % of the requests in the last {window}, and at least three, took {value} or longer to answer "
        "(threshold: {threshold}).",
        "Twilio gives up after 15 s. During a call, the caller hears silence until the response arrives.",
        "Find the slow stage in hookline_ingress_stage_seconds (/metrics on the admin port): read is the sender's network, "
        "write is Redis or the spool's disk, any other stage is this machine's CPU.",
    ),
    Rule(
        "write_slow",
        Watcher.INGRESS,
        _limit(_WARNING, 0.1, 0.05, 30, 300),
        Unit.SECONDS,
        "99th percentile of the time that Redis takes for a batch; below 200 batches, the third-slowest",
        "The slowest 1 % of the writes to Redis in the last {window}, and at least three, took {value} or longer "
        "(threshold: {threshold}).",
        "Responses wait for these writes. After INGRESS_WRITE_BUDGET_MS, an event goes to the spool instead.",
        "Check the load, the disk and the network of Redis: `redis-cli --latency`, `redis-cli slowlog get 10`, "
        "`redis-cli info persistence`.",
    ),
    Rule(
        "refusals_high",
        Watcher.INGRESS,
        _limit(_CRITICAL, 0.01, 0.002, 10, 60),
        Unit.SHARE,
        "5xx responses as a share of all 2xx and 5xx responses; a 5xx that the sender caused does not count",
        "{value} of the valid requests in the last {window} got a 5xx response (threshold: {threshold}).",
        "Twilio does not retry most of them, so webhooks are being lost.",
        "Look at `outcome` in hookline_ingress_requests_total (/metrics on the admin port): for overloaded, start more ingress "
        "processes; for redis_unavailable, restore Redis and configure a spool (INGRESS_SPOOL_PATH); for spool_full or "
        "backlog_full, restore Redis and the processors (`hookline status`).",
    ),
    Rule(
        "signatures_failing",
        Watcher.INGRESS,
        _limit(_CRITICAL, 0.1, 0.02, 10, 300),
        Unit.SHARE,
        "bad_signature and flooding_signed responses as a share of all signed requests; at least three",
        "{value} of the signed requests in the last {window} were rejected because of invalid signatures "
        "(threshold: {threshold}).",
        "If Twilio sent them, its webhooks are being lost. Otherwise somebody sends forged requests.",
        "Compare PUBLIC_URL with the webhook URL in the Twilio console, and TWILIO_AUTH_TOKEN with the account's auth token. "
        "`hookline doctor --online` sends a signed webhook to PUBLIC_URL.",
    ),
    Rule(
        "spool_filling",
        Watcher.INGRESS,
        _limit(_CRITICAL, 0.5, 0.3, 10),
        Unit.SHARE,
        "share of INGRESS_SPOOL_MAX_MB in use",
        "The spool is {value} full (threshold: {threshold}).",
        "Redis does not take the events. When the spool is full, webhooks get a 503.",
        "Run `hookline status` for the reason. Restore Redis, or start more processors if a backlog is full. "
        "If that takes too long, raise INGRESS_SPOOL_MAX_MB and restart ingress.",
    ),
    Rule(
        "spool_refusing",
        Watcher.INGRESS,
        _limit(_CRITICAL, 1, 0, 10),
        Unit.COUNT,
        "1 while the spool's disk takes no events",
        "The spool accepts no more events: {subject}.",
        "While Redis does not take them either, webhooks get a 503. Events in the spool are still delivered.",
        "Free up space on its disk, or repair the disk (`hookline doctor`, `dmesg`), and restore Redis.",
        per="reason",
    ),
    Rule(
        "spool_waiting",
        Watcher.INGRESS,
        _limit(_WARNING, 60, 0, 0),
        Unit.SECONDS,
        "time for which the spool has not been empty",
        "The spool has held events for {value} (threshold: {threshold}).",
        "They are safe on this machine's disk, but no handler gets them yet.",
        "Run `hookline status` for the reason. Most often, Redis is down or a backlog is full.",
    ),
)

_READERS: Final = (
    Rule(
        "processor_down",
        Watcher.INGRESS,
        _limit(_CRITICAL, 1, 0, 30),
        Unit.COUNT,
        "1 while no processor is running",
        "No processor is running.",
        "Webhooks are accepted and wait in Redis, and no event is handled.",
        "Start a processor: `hookline processor`. If one should be running, read the end of its log.",
    ),
    Rule(
        "partitions_unowned",
        Watcher.BOTH,
        _limit(_CRITICAL, 1, 0, 30),
        Unit.COUNT,
        "partitions without an owner, while a processor is running",
        "Partitions without an owner: {value} (threshold: {threshold}).",
        "The conversations of these partitions wait.",
        "Run `hookline status` to see who owns which partition. Restart a stuck processor; its log says why.",
    ),
    Rule(
        "partitions_differ",
        Watcher.INGRESS,
        _limit(_CRITICAL, 1, 0, 30),
        Unit.COUNT,
        "1 while a processor has another HOOKLINE_PARTITIONS than ingress",
        "Processor {subject} has another HOOKLINE_PARTITIONS than ingress.",
        "Events can be left unread, or be handled out of order.",
        "Set HOOKLINE_PARTITIONS to the same for all services, and restart those that differ.",
        per="processor",
    ),
    Rule(
        "topic_unread",
        Watcher.BOTH,
        _limit(_CRITICAL, 1, 0, 30),
        Unit.COUNT,
        "partitions whose owner does not read a topic that ingress has, or that has events",
        "Nobody reads topic {subject} in {value} of the partitions (threshold: {threshold}).",
        "Its events are accepted, and are not handled.",
        "Give the processors the same [topics] as ingress in the TOML file (HOOKLINE_CONFIG), and restart them.",
        per="topic",
    ),
)

_PROCESSOR: Final = (
    Rule(
        "backlog_high",
        Watcher.PROCESSOR,
        _limit(_WARNING, 0.5, 0.4, 30),
        Unit.SHARE,
        "unsettled events as a share of INGRESS_BACKLOG_LIMIT",
        "The backlog of topic {subject} is at {value} of INGRESS_BACKLOG_LIMIT (threshold: {threshold}).",
        "At the limit, webhooks go to the spool. When that is full, they get a 503.",
        "Run `hookline status`. If many events wait, fix the handlers; else start processors or raise PROCESSOR_CONCURRENCY.",
        per="topic",
    ),
    Rule(
        "backlog_growing",
        Watcher.PROCESSOR,
        _limit(_WARNING, 3600, 7200, 60, 300),
        Unit.SECONDS,
        "time until the backlog reaches INGRESS_BACKLOG_LIMIT at its present growth",
        "At its present growth, the backlog of topic {subject} reaches INGRESS_BACKLOG_LIMIT in {value} (threshold: "
        "{threshold}).",
        "Events arrive faster than they are processed.",
        "Run `hookline status`. If handlers fail or have become slow, fix those first. Otherwise start more processors or "
        "raise PROCESSOR_CONCURRENCY.",
        per="topic",
        falls=True,
    ),
    Rule(
        "oldest_event_old",
        Watcher.PROCESSOR,
        _limit(_WARNING, 300, 60, 15),
        Unit.SECONDS,
        "age of the oldest unsettled event that does not wait in Redis",
        "The oldest event of topic {subject} has waited for {value} (threshold: {threshold}).",
        "A customer has had no answer for that long. Events that wait for a retry count once their time has passed.",
        "Run `hookline status`. A large backlog needs more processors; `hookline pause list` says whether the topic is paused.",
        per="topic",
    ),
    Rule(
        "dead_letters_growing",
        Watcher.PROCESSOR,
        _limit(_WARNING, 1, 0, 0, 300),
        Unit.COUNT,
        "events that became dead letters",
        "New dead letters in the last {window}: {value} (threshold: {threshold}).",
        "Handlers rejected these events or failed on every attempt, or there is no handler for their kind. "
        "The events are kept, and are not processed until somebody replays them.",
        "Run `hookline dead list` for the reasons. Fix the cause, then run `hookline dead replay`.",
    ),
    Rule(
        "data_gone",
        Watcher.PROCESSOR,
        _limit(_CRITICAL, 1, 0, 0, 300),
        Unit.COUNT,
        "partitions whose consumer groups, and pending events whose bodies, were missing in Redis",
        "Redis has lost data: {value} findings of missing consumer groups or event bodies in the last {window} "
        "(threshold: {threshold}).",
        "Events that were accepted and not yet processed are lost.",
        "Find out what flushed, trimmed or replaced Redis, or why it restarted with less data, before more is lost: read its "
        "log, and run `hookline doctor` and `redis-cli info commandstats`.",
    ),
    Rule(
        "redis_at_risk",
        Watcher.PROCESSOR,
        _limit(_WARNING, 1, 0, 10),
        Unit.COUNT,
        "1 while the configuration of Redis can lose events",
        "The configuration of Redis can lose events: {subject}.",
        "Accepted events can be lost by a restart (no_aof) or when memory runs out (eviction).",
        "For no_aof, run `redis-cli config set appendonly yes`; for eviction, `redis-cli config set maxmemory-policy "
        "noeviction`. Set the same in redis.conf.",
        per="risk",
    ),
    Rule(
        "handlers_failing",
        Watcher.PROCESSOR,
        _limit(_WARNING, 0.2, 0.05, 30, 300),
        Unit.SHARE,
        "share of the attempts that failed with an error or a time-out (not Reject or RetryLater), out of five or more",
        "{value} of the attempts to handle {subject} in the last {window} failed (threshold: {threshold}).",
        "Their events are retried with backoff, and become dead letters after PROCESSOR_MAX_ATTEMPTS attempts.",
        "Look for `attempt failed` in the processor's log, which has the traceback. Fix the handler or what it calls, then "
        "replay dead letters with `hookline dead replay`.",
        per="kind",
    ),
    Rule(
        "ledger_behind",
        Watcher.PROCESSOR,
        _limit(_WARNING, 0.1, 0.05, 30),
        Unit.SHARE,
        "settled events that wait for the database, as a share of this processor's part of LEDGER_BACKLOG_LIMIT",
        "The settled events that wait for the ledger's database are at {value} of LEDGER_BACKLOG_LIMIT (threshold: "
        "{threshold}).",
        "Events are still processed, and their history is late. At the limit, processing stops.",
        "Check that the database is up, reachable and fast enough. /readyz?verbose on the processor's admin port has its last "
        "error.",
    ),
)

_BOTH: Final = (
    Rule(
        "breaker_open",
        Watcher.BOTH,
        _limit(_WARNING, 1, 0, 10),
        Unit.COUNT,
        "1 while a circuit breaker is not closed",
        "The circuit breaker {subject} is open: calls failed repeatedly, and only probes are sent until one succeeds.",
        "The events whose handlers need it wait in Redis. All others are handled, and no webhook is lost.",
        "Restore the service that the breaker is named after. The breaker closes by itself within seconds.",
        per="breaker",
        critical="redis",
        impacts=IMPACTS,
    ),
    Rule(
        "loop_lagging",
        Watcher.BOTH,
        _limit(_WARNING, 0.25, 0.1, 15, 5),
        Unit.SECONDS,
        "longest delay of the event loop",
        "The event loop was late by up to {value} in the last {window} (threshold: {threshold}).",
        "Everything in this process waits meanwhile: responses, handlers, lease renewals.",
        "Look for `event loop blocked` in the log: the handler that it names must await, or be a plain def. "
        "Without such a line, the machine has too little CPU.",
    ),
    Rule(
        "pool_saturated",
        Watcher.BOTH,
        _limit(_WARNING, 1, 0, 10),
        Unit.COUNT,
        "calls that wait for a connection because all are in use",
        "All connections of pool {subject} are in use, and calls wait for one: {value} (threshold: {threshold}).",
        "Work is delayed, and fails if it waits too long.",
        "Find out why the server is slow (`redis-cli --latency`, `redis-cli slowlog get 10`). If it is not, raise "
        "REDIS_POOL_SIZE (for pool database, DATABASE_POOL_SIZE).",
        per="pool",
    ),
    Rule(
        "disk_low",
        Watcher.BOTH,
        _limit(_CRITICAL, 1024, 1536, 30),
        Unit.MIB,
        "free MiB on the disk of the spool, or of the ledger in SQLite",
        "{value} are free on the disk of the {subject} (threshold: {threshold}).",
        "On a full disk, the spool takes no events, so webhooks get a 503 while Redis is down; the ledger's history waits in "
        "Redis.",
        "Free up space on it (`du -xsh /var/lib/* | sort -h`), or move the file: INGRESS_SPOOL_PATH, HOOKLINE_LEDGER_URL.",
        per="disk",
        falls=True,
    ),
)

RULES: Final = MappingProxyType({rule.name: rule for rule in (*_INGRESS, *_READERS, *_PROCESSOR, *MESSAGE_RULES, *_BOTH)})
"""All rules by name."""
