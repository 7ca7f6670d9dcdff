"""The composition of ingress: how its parts are built, and in which order they start and stop."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hookline_ingress.alert_sources import measures
from hookline_ingress.health_checks import HealthChecks
from hookline_ingress.http.port_sharing import PortSharing
from hookline_ingress.http.proxies import Proxies, parse_networks
from hookline_ingress.http.server import ConnectionLimits, Server, allow_connections
from hookline_ingress.limits.addresses import GENUINE_S, MOST_ADDRESSES, AddressLimit, GenuineAddresses
from hookline_ingress.limits.guards import Guards
from hookline_ingress.limits.sender_limit import LimitExchange, SenderLimit
from hookline_ingress.live.service import LiveService, build_live
from hookline_ingress.routing.routes import Routes
from hookline_ingress.settings import IngressSettings
from hookline_ingress.signatures.provider_function import ProviderCalls, load_provider
from hookline_ingress.signatures.secrets import parse_secrets, parse_shared_keys, unusual_tokens
from hookline_ingress.signatures.tokens_file import TokensFile
from hookline_ingress.signatures.twilio import Keyring, Verifier
from hookline_ingress.spool.drain import Drain
from hookline_ingress.spool.spool import Spool
from hookline_ingress.webhooks import Webhooks
from hookline_ingress.writer import Writer
from hookline_shared.alerts.watcher import AlertWatcher
from hookline_shared.clock import Clock
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.admin import Admin
from hookline_shared.observability.health import Health, problems
from hookline_shared.observability.logs import Logger
from hookline_shared.readers.watch import ReadersWatch
from hookline_shared.redis.durability import Durability
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender
from hookline_shared.streams.limits.genuine_addresses import SharedAddresses
from hookline_shared.streams.limits.rate_limits import SharedLimits

if TYPE_CHECKING:
    from hookline_ingress.signatures.token_provider import TokenProvider
    from hookline_ingress.tracing import RequestSpans

_ANSWER_S: Final = 0.45
"""Seconds in which an event must be stored, in Redis or in the spool, for its request to be answered within half a second."""
_DISK_S: Final = 0.2
"""The least time for the spool in seconds, if the time limit for Redis leaves less."""
_OF_THE_PORT: Final = ("port", "shutdown")
"""Checks of readiness that say whether the port is open, not whether it should be."""
_WITHOUT_SPOOL: Final = (
    "set INGRESS_SPOOL_PATH to a file on a disk that outlives the process, or let Twilio retry: docs/platforms.md"
)
_ALERT_INTERVALS_PER_SURVEY: Final = 5
"""Checks of the alerts for each look at who reads the streams, which queries Redis."""


@dataclass(frozen=True)
class Ingress:
    """The service that Twilio calls: its parts, and their start and stop."""

    settings: IngressSettings
    health: Health
    admin: Admin
    spool: Spool | None
    redis: RedisConnectionManager
    alerts: AlertWatcher
    readers: ReadersWatch
    tokens: "TokensFile | TokenProvider | None"
    drain: Drain | None
    exchange: LimitExchange
    writer: Writer
    server: Server
    logger: Logger
    live: LiveService | None = None

    async def start(self, supervisor: Supervisor, stopping: AsyncExitStack) -> None:
        """Open the spool and both ports. Redis may come later: until then /readyz reports it, and webhooks go to the spool.

        At the stop, the requests in flight are answered before anything is closed.

        Raises:
            HooklineError: if a port or the spool cannot be used, or the version of aiohttp is not supported.

        """
        self.server.check_connection()
        self.health.live["tasks"] = supervisor.check_tasks
        self.health.ready["port"] = self.server.check_listening
        stopping.push_async_callback(self.admin.stop)
        admin_port = await self.admin.start()
        if self.spool is not None:
            stopping.push_async_callback(self.spool.close)
            await self.spool.open()
        stopping.push_async_callback(self.redis.close)
        stopping.push_async_callback(self.alerts.stop)
        await self.alerts.start(supervisor, admin_port)
        monitor = await supervisor.spawn("redis watch", self.redis.monitor.run())
        stopping.push_async_callback(monitor.close)
        stopping.push_async_callback(self.readers.stop)
        await self.readers.start(supervisor)
        if self.tokens is not None:
            stopping.push_async_callback(self.tokens.stop)
            await self.tokens.start(supervisor)
        if self.drain is not None:
            stopping.push_async_callback(self.drain.stop)
            await self.drain.start(supervisor)
        stopping.push_async_callback(self.exchange.stop)
        await self.exchange.start(supervisor)
        stopping.push_async_callback(self.writer.stop)
        await self.writer.start(supervisor)
        if self.live is not None:
            stopping.push_async_callback(self.live.stop)
            await self.live.start(supervisor)
        stopping.push_async_callback(self.server.stop)
        if self.live is not None:
            stopping.callback(self.live.release)
        port = await self.server.open(self.settings.host, self.settings.port, supervisor)
        sharing = PortSharing(self.server, self.problem, self.server.clock, self.logger)
        stopping.push_async_callback(sharing.stop)
        await sharing.start(supervisor)
        stopping.callback(self.health.stop)
        self.logger.info("listening", port=port, admin_port=admin_port)
        if self.spool is None:
            self.logger.warning("there is no spool: while Redis is down, webhooks get a 503", remedy=_WITHOUT_SPOOL)

    def problem(self) -> str | None:
        """Return why webhooks would be refused, None if they are not. Whether the port is open does not count."""
        found = problems({name: check for name, check in self.health.ready.items() if name not in _OF_THE_PORT})
        return next(iter(found.values()), None)


def build_ingress(settings: IngressSettings, clock: Clock, logger: Logger) -> Ingress:
    """Return an ingress that is not started."""
    durability = Durability(settings.durability)
    redis = RedisConnectionManager(settings.redis_options(), settings.partitions, clock, logger, durability)
    appender = Appender(redis, settings.partitions, settings.dedupe_window_s, settings.backlog_limit)
    spool = _spool(settings, clock, logger)
    drain = Drain(spool, appender, redis, settings.partitions, clock, logger) if spool else None
    budget_s = settings.write_budget_ms / 1000
    answer_s = max(_ANSWER_S, budget_s + _DISK_S)
    writer = Writer(appender, spool, lambda: redis.monitor.ready, budget_s, answer_s, clock, logger)
    senders = SenderLimit(settings.sender_limit(), clock)
    shared_addresses = SharedAddresses(redis, GENUINE_S, MOST_ADDRESSES)
    secrets = (*settings.auth_tokens, *settings.shared_keys, "")
    genuine = GenuineAddresses(clock, shared_addresses, key=secrets[0])
    addresses = AddressLimit(settings.address_limit(), clock, genuine)
    shared = {"sender": senders.meters, "address": addresses.meters}
    limits = [(SharedLimits(redis, name, settings.partitions), meters) for name, meters in shared.items()]
    exchange = LimitExchange(limits, genuine, clock, logger)
    guards = Guards(Proxies(parse_networks(settings.trusted_proxies)), senders, addresses, settings.max_in_flight)
    keyring = _keyring(settings, logger)
    provider = _provider(settings, keyring, addresses, clock, logger)
    tokens = TokensFile(settings.tokens_path, keyring, clock, logger) if settings.tokens_path else provider
    routes = Routes(keyring, _sendgrid(settings), settings.max_body, settings.routes, settings.forwards)
    spans = _spans(settings, guards.proxies, clock)
    write = writer.write if spans is None else spans.trace_writes(writer.write)
    live = build_live(settings, routes, guards, redis, spool, write, (budget_s, answer_s), clock, logger, spans, provider)
    elsewhere = live.answer if live is not None else None
    webhooks = Webhooks(routes, guards, write, settings.public_urls, clock, logger, spans, provider, elsewhere)
    if live is not None:
        live.webhooks.refusals = webhooks.refusals  # whichever route it was, somebody has to know
    server = _server(settings, routes, webhooks, spans, clock, logger)
    readers, alerts = _watchers(settings, redis, spool, clock, logger)
    health = _health(HealthChecks(redis.monitor, spool, drain), webhooks, readers, alerts)
    if tokens is not None:
        health.warnings["tokens"] = tokens.warnings
    admin = Admin(health, settings.admin_host, settings.admin_port, "INGRESS_ADMIN", token=settings.admin_token)
    return Ingress(
        settings, health, admin, spool, redis, alerts, readers, tokens, drain, exchange, writer, server, logger, live
    )


def _watchers(
    settings: IngressSettings, redis: RedisConnectionManager, spool: Spool | None, clock: Clock, logger: Logger
) -> tuple[ReadersWatch, AlertWatcher]:
    interval_s = _ALERT_INTERVALS_PER_SURVEY * settings.alerts.interval_s
    readers = ReadersWatch(redis, settings.partitions, list(settings.topics), interval_s, clock)
    measured = measures(settings.alerts.limits, spool, settings.spool_path) | readers.measures()
    return readers, AlertWatcher(settings.alerts, "ingress", measured, clock, logger)


def _spool(settings: IngressSettings, clock: Clock, logger: Logger) -> Spool | None:
    if settings.spool_path is None:
        return None
    return Spool(settings.spool_path, settings.spool_max_mb, clock, logger, settings.redis.prefix)


def _server(
    settings: IngressSettings, routes: Routes, webhooks: Webhooks, spans: "RequestSpans | None", clock: Clock, logger: Logger
) -> Server:
    """Return the server that handles webhooks, with spans around requests if they are traced."""
    handle = webhooks.handle if spans is None else spans.trace_requests(webhooks.handle)
    limits = ConnectionLimits(
        read_timeout_s=settings.read_timeout_s,
        keepalive_s=settings.keepalive_s,
        shutdown_s=settings.shutdown_s,
        connections=allow_connections(settings.max_connections),
        memory=settings.read_memory_mb << 20,
    )
    return Server(handle, routes.body_limit, limits, clock, logger, routes.status_if_too_large, webhooks.refusals.note)


def _keyring(settings: IngressSettings, logger: Logger) -> Keyring:
    tokens = parse_secrets(settings.auth_tokens)
    if unusual := unusual_tokens(tokens):
        remedy = "compare TWILIO_AUTH_TOKEN with Twilio's console: webhooks that these tokens must verify will be refused"
        logger.warning("tokens are not 32 hexadecimal digits, as Twilio's are", tokens=unusual, remedy=remedy)
    return Keyring(tokens, settings.public_urls, parse_shared_keys(settings.shared_keys))


def _provider(
    settings: IngressSettings, keyring: Keyring, addresses: AddressLimit, clock: Clock, logger: Logger
) -> "TokenProvider | None":
    if settings.tokens_provider is None:
        return None
    from hookline_ingress.signatures.token_provider import ProviderLimits, TokenProvider  # noqa: PLC0415 - only this needs it

    calls = ProviderCalls(load_provider(settings.tokens_provider))
    limits = ProviderLimits(settings.tokens_cache_s, max(2, settings.max_in_flight // 10))
    return TokenProvider(calls, keyring, addresses, limits, clock, logger)


def _sendgrid(settings: IngressSettings) -> Verifier | None:
    if not settings.sendgrid_keys:
        return None
    from hookline_ingress.signatures.sendgrid import SendGridKeys  # noqa: PLC0415 - cryptography takes memory that only this needs

    return SendGridKeys(settings.sendgrid_keys, settings.dedupe_window_s)


def _spans(settings: IngressSettings, proxies: Proxies, clock: Clock) -> "RequestSpans | None":
    if settings.tracing == "off":
        return None
    from hookline_ingress.tracing import RequestSpans  # noqa: PLC0415 - OpenTelemetry takes time and memory that only this needs

    return RequestSpans(settings.public_urls[0], settings.partitions, proxies, clock)


def _health(checks: HealthChecks, webhooks: Webhooks, readers: ReadersWatch, alerts: AlertWatcher) -> Health:
    health = Health()
    checks.add_to(health)
    health.warnings["webhooks"] = webhooks.refusals.warnings
    health.warnings["readers"] = readers.warnings
    health.warnings["alert"] = alerts.warnings
    health.ready["shutdown"] = health.shutdown
    return health
