"""The composition of ingress: how its parts are built, and in which order they start and stop."""

from typing import TYPE_CHECKING, Final

from aiojobs import Job

from hookline_ingress.alert_sources import measures
from hookline_ingress.http.proxies import Proxies, parse_networks
from hookline_ingress.http.server import ConnectionLimits, Server, allow_connections
from hookline_ingress.limits.limiter import AddressLimit, LimitExchange, SenderLimit
from hookline_ingress.routes import Routes
from hookline_ingress.settings import IngressSettings
from hookline_ingress.signature import Keyring, Verifier, parse_secrets, parse_shared_keys
from hookline_ingress.spool.drain import Drain
from hookline_ingress.spool.spool import Spool
from hookline_ingress.webhooks import Guards, Webhooks
from hookline_ingress.writer import Writer
from hookline_shared.alerts.notifier import Notifier
from hookline_shared.alerts.watcher import AlertWatcher
from hookline_shared.clock import Clock
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.admin import Admin
from hookline_shared.observability.health import Health
from hookline_shared.observability.logs import Logger
from hookline_shared.readers.watch import ReadersWatch
from hookline_shared.redis.durability import Durability
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender
from hookline_shared.streams.rate_limits import SharedLimits

if TYPE_CHECKING:
    from hookline_ingress.tracing import RequestSpans

_ANSWER_S: Final = 0.45
"""Seconds in which an event must be stored, in Redis or in the spool, for its request to be answered within half a second."""
_DISK_S: Final = 0.2
"""The least time for the spool in seconds, if the time limit for Redis leaves less."""
_ALERT_INTERVALS_PER_SURVEY: Final = 5
"""Checks of the alerts for each look at who reads the streams, which queries Redis."""
_NEARLY_FULL: Final = 0.8
"""Share of the spool that is in use."""


class Ingress:
    """The service Twilio calls."""

    def __init__(self, settings: IngressSettings, clock: Clock, logger: Logger) -> None:
        self._settings = settings
        self._clock = clock
        self._logger = logger
        self._stopping = False
        self._health = Health()
        self._admin = Admin(self._health, settings.admin_host, settings.admin_port, "INGRESS_ADMIN")
        self._redis = RedisConnectionManager(
            settings.redis_options(), settings.partitions, clock, logger, Durability(settings.durability)
        )
        self._spool = self._make_spool()
        appender = Appender(self._redis, settings.partitions, settings.dedupe_window_s, settings.backlog_limit)
        self._drain = Drain(self._spool, appender, self._redis, settings.partitions, clock, logger) if self._spool else None
        budget_s = settings.write_budget_ms / 1000
        self._writer = Writer(
            appender, self._spool, lambda: self._redis.monitor.ready, budget_s, max(_ANSWER_S, budget_s + _DISK_S), clock
        )
        senders = SenderLimit(settings.sender_limit(), clock)
        addresses = AddressLimit(settings.address_limit(), clock)
        self._exchange = LimitExchange(
            [
                (SharedLimits(self._redis, name, settings.partitions), meters)
                for name, meters in (("sender", senders.meters), ("address", addresses.meters))
            ],
            clock,
            logger,
        )
        keyring = Keyring(parse_secrets(settings.auth_tokens), settings.public_urls, parse_shared_keys(settings.shared_keys))
        routes = Routes(keyring, _sendgrid(settings), settings.max_body, settings.routes)
        proxies = Proxies(parse_networks(settings.trusted_proxies))
        guards = Guards(proxies, senders, addresses, settings.max_in_flight)
        spans = _spans(settings, proxies, clock)
        write = self._writer.write if spans is None else spans.trace_writes(self._writer.write)
        self._webhooks = webhooks = Webhooks(routes, guards, write, settings.public_urls, clock, logger, spans)
        limits = ConnectionLimits(
            read_timeout_s=settings.read_timeout_s,
            keepalive_s=settings.keepalive_s,
            shutdown_s=settings.shutdown_s,
            connections=allow_connections(settings.max_connections),
            largest_body=routes.largest_body,
        )
        handle = webhooks.handle if spans is None else spans.trace_requests(webhooks.handle)
        self._server = Server(handle, routes.body_limit, limits, clock, logger)
        interval_s = _ALERT_INTERVALS_PER_SURVEY * settings.alert_interval_s
        self._readers = ReadersWatch(self._redis, settings.partitions, list(settings.topics), interval_s, clock)
        self._alerts = AlertWatcher(
            settings.alerts,
            measures(settings.alerts, self._spool, settings.spool_path) | self._readers.measures(),
            Notifier(settings.alert_url, "ingress", clock, logger) if settings.alert_url else None,
            settings.alert_interval_s,
            clock,
            logger,
            settings.runbook_url,
        )
        self._watch: Job[None] | None = None

    def _make_spool(self) -> Spool | None:
        settings = self._settings
        if settings.spool_path is None:
            return None
        return Spool(settings.spool_path, settings.spool_max_mb, self._clock, self._logger, settings.prefix)

    async def start(self, supervisor: Supervisor) -> None:
        """Open the spool and both ports. Redis may come later: until then /readyz reports it, and webhooks go to the spool.

        Raises:
            HooklineError: if a port or the spool cannot be used, or the version of aiohttp is not supported.

        """
        self._server.check_connection()
        self._health.live["tasks"] = supervisor.check_tasks
        self._health.ready["redis"] = self._check_redis
        self._health.warnings["redis"] = self._redis_warnings
        self._health.warnings["spool"] = self._spool_warnings
        self._health.warnings["webhooks"] = self._webhooks.refusals.warnings
        self._health.warnings["readers"] = self._readers.warnings
        self._health.warnings["alert"] = self._alerts.warnings
        self._health.ready["shutdown"] = lambda: "shutting down" if self._stopping else None
        if self._spool is not None:
            await self._spool.open()
        admin_port = await self._admin.start()
        self._watch = await supervisor.spawn("redis watch", self._redis.monitor.run())
        await self._alerts.start(supervisor, admin_port)
        await self._readers.start(supervisor)
        await self._writer.start(supervisor)
        if self._drain is not None:
            await self._drain.start(supervisor)
        await self._exchange.start(supervisor)
        port = await self._server.start(self._settings.host, self._settings.port, supervisor)
        self._logger.info("listening", port=port, admin_port=admin_port)

    async def stop(self) -> None:
        """Answer the requests in flight, finish the batch in progress, then close Redis and the spool."""
        self._stopping = True
        await self._server.stop()
        await self._writer.stop()
        await self._exchange.stop()
        if self._drain is not None:
            await self._drain.stop()
        if self._watch is not None:
            await self._watch.close()
        await self._readers.stop()
        await self._alerts.stop()
        await self._redis.close()
        if self._spool is not None:
            await self._spool.close()
        await self._admin.stop()

    def _check_redis(self) -> str | None:
        """Return why ingress is not ready, None if it is.

        Redis may be down while the spool has room. But it must have been reached once, so that an ingress with a wrong
        REDIS_URL does not replace one that works.
        """
        if self._spool_replaces_redis():
            return None
        problem = self._redis.monitor.check()
        if problem and self._spool is not None and self._spool.problem:
            return f"Webhooks are refused with a 503. {problem} And the spool accepts no more events: {self._spool.problem}."
        return problem

    def _spool_replaces_redis(self) -> bool:
        """Whether the spool accepts events in place of Redis."""
        return self._redis.monitor.ready and self._spool is not None and self._spool.accepting

    def _redis_warnings(self) -> list[str]:
        problem = self._redis.monitor.check() if self._spool_replaces_redis() else None
        found = self._redis.monitor.warnings()
        return [f"{problem} Webhooks go to the spool.", *found] if problem else found

    def _spool_warnings(self) -> list[str]:
        if self._spool is None:
            return ["There is no spool: while Redis is down, webhooks get a 503. Set INGRESS_SPOOL_PATH."]
        found = [f"The spool accepts no more events: {self._spool.problem}."] if self._spool.problem else []
        if self._spool.fill >= _NEARLY_FULL:
            found.append(
                f"The spool is {self._spool.fill:.0%} full; once it is full, webhooks get a 503. See INGRESS_SPOOL_MAX_MB."
            )
        if self._spool.unreadable:
            found.append(f"{self._spool.unreadable} unreadable events were set aside in the spool: see the log.")
        if self._spool.unremoved:
            found.append(
                f"{self._spool.unremoved} events that Redis has already cannot be deleted from the spool's disk yet. They are "
                "not delivered again, unless ingress is restarted after INGRESS_DEDUPE_WINDOW_S."
            )
        if self._spool.events:
            obstacle = self._redis.monitor.check() or (self._drain and self._drain.obstacle)
            found.append(f"{self._spool.events} events wait in the spool: {obstacle or 'being drained'}")
        return found


def _spans(settings: IngressSettings, proxies: Proxies, clock: Clock) -> "RequestSpans | None":
    if settings.tracing == "off":
        return None
    from hookline_ingress.tracing import RequestSpans  # noqa: PLC0415 - OpenTelemetry takes time and memory that only this needs

    return RequestSpans(settings.public_urls[0], settings.partitions, proxies, clock)


def _sendgrid(settings: IngressSettings) -> Verifier | None:
    if not settings.sendgrid_keys:
        return None
    from hookline_ingress.sendgrid_signature import SendGridKeys  # noqa: PLC0415 - cryptography takes memory that only this needs

    return SendGridKeys(settings.sendgrid_keys)
