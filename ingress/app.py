"""Ingress put together: what is made of what, and in which order it starts and stops."""

from aiohttp import web
from aiojobs import Job

from ingress.server import Server
from ingress.settings import IngressSettings
from ingress.signature import Keyring, parse_secrets
from ingress.webhooks import Webhooks
from ingress.writer import Writer
from shared.admin import Admin
from shared.broker.append import Appender
from shared.broker.connection import RedisConnectionManager
from shared.broker.durability import Durability
from shared.clock import Clock
from shared.health import Health
from shared.http import listen
from shared.logs import Logger
from shared.service import Supervisor


class Ingress:
    """The service Twilio calls."""

    def __init__(self, settings: IngressSettings, clock: Clock, logger: Logger) -> None:
        self._settings = settings
        self._logger = logger
        self._stopping = False
        self._health = Health()
        self._admin = Admin(self._health, settings.admin_host, settings.admin_port, "INGRESS_ADMIN")
        self._redis = RedisConnectionManager(
            settings.redis_options(), settings.partitions, clock, logger, Durability(settings.durability)
        )
        appender = Appender(self._redis, settings.partitions, settings.dedupe_window_s, settings.backlog_limit)
        self._writer = Writer(appender, lambda: self._redis.monitor.ready, settings.write_budget_ms / 1000)
        keyring = Keyring(parse_secrets(settings.auth_tokens), settings.public_urls)
        webhooks = Webhooks(keyring, self._writer, settings.max_body, settings.max_in_flight, clock, logger)
        server = Server(webhooks.handle, settings.max_body, logger)
        self._server = web.ServerRunner(server, shutdown_timeout=settings.shutdown_s)
        self._watch: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Open both ports. Redis may come later: until then webhooks are answered 503 and /readyz says why."""
        self._health.live["tasks"] = supervisor.check_tasks
        self._health.ready["redis"] = self._redis.monitor.check
        self._health.warnings["redis"] = self._redis.monitor.warnings
        self._health.ready["shutdown"] = lambda: "shutting down" if self._stopping else None
        admin_port = await self._admin.start()
        self._watch = await supervisor.spawn("redis watch", self._redis.monitor.run())
        await self._writer.start(supervisor)
        await self._server.setup()
        port = await listen(self._server, self._settings.host, self._settings.port, setting="INGRESS")
        self._logger.info("listening", port=port, admin_port=admin_port)

    async def stop(self) -> None:
        """Answer the requests under way, finish the batch under way, then let go of Redis."""
        self._stopping = True
        await self._server.cleanup()
        await self._writer.stop()
        if self._watch is not None:
            await self._watch.close()
        await self._redis.close()
        await self._admin.stop()
