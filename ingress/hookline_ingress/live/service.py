"""Builds, starts and stops what live routes need."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hookline_ingress.http.request import Request, Respond
from hookline_ingress.limits.guards import Guards
from hookline_ingress.live.answers import Answers
from hookline_ingress.live.routes import LiveRoutes
from hookline_ingress.live.webhooks import LiveWebhooks
from hookline_ingress.metrics import LIVE_WAITING
from hookline_ingress.routing.routes import Routes
from hookline_ingress.settings import IngressSettings
from hookline_ingress.spool.spool import Spool
from hookline_ingress.writer import Write, Writer
from hookline_shared.clock import Clock
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender

if TYPE_CHECKING:
    from hookline_ingress.signatures.token_provider import TokenProvider
    from hookline_ingress.tracing import RequestSpans

_DEDUPE_WINDOW_S = 30
"""Twilio repeats the request of a call within that time. After it, equal content is the same digit pressed once more."""


@dataclass(frozen=True)
class LiveService:
    """What requests on live routes need beside the rest of ingress."""

    answers: Answers
    writer: Writer
    webhooks: LiveWebhooks

    def answer(self, request: Request, respond: Respond) -> None:
        """Answer a request that has no other route."""
        self.webhooks.answer(request, respond)

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to read answers."""
        await self.writer.start(supervisor)
        await self.answers.start(supervisor)

    def release(self) -> None:
        """Answer all requests that wait: calls come back, and find another ingress."""
        self.answers.release()

    async def stop(self) -> None:
        """Stop."""
        await self.answers.stop()
        await self.writer.stop()


def build_live(
    settings: IngressSettings,
    routes: Routes,
    guards: Guards,
    redis: RedisConnectionManager,
    spool: Spool | None,
    write: Write,
    limits_s: tuple[float, float],
    clock: Clock,
    logger: Logger,
    spans: "RequestSpans | None",
    provider: "TokenProvider | None",
) -> LiveService | None:
    """Return what the live routes in `settings` need, which `routes` no longer finds; None if there are none.

    `write` stores events on other routes. `limits_s` are those of a write: for Redis, and for Redis and the spool together.
    """
    live = LiveRoutes(routes, settings.routes, settings.forwards)
    if not live.exist:
        return None
    appender = Appender(redis, settings.partitions, _DEDUPE_WINDOW_S, settings.backlog_limit)
    writer = Writer(appender, spool, lambda: redis.monitor.ready, *limits_s, clock, logger)
    answers = Answers(redis, settings.partitions, clock, logger)
    LIVE_WAITING.set_function(lambda: answers.waiting)
    write_live = writer.write if spans is None else spans.trace_writes(writer.write)
    webhooks = LiveWebhooks(
        live,
        guards,
        write,
        write_live,
        settings.public_urls,
        answers,
        settings.live,
        settings.partitions,
        clock,
        logger,
        spans,
        provider,
    )
    return LiveService(answers, writer, webhooks)
