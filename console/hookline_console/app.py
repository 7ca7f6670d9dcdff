"""Builds and starts the console."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, NamedTuple

from aiohttp import web

from hookline_cli.admin_address import AdminAddress
from hookline_cli.audit import AuditLog
from hookline_cli.settings.console import ConsoleSettings
from hookline_cli.status.collector import Collector, CollectorSettings
from hookline_console.access.people import Role
from hookline_console.access.sign_in import SignIn
from hookline_console.components import COMPONENTS, Components
from hookline_console.data_sources import LedgerSource, RedisSource
from hookline_console.guard import Guard, Handler
from hookline_console.live.history import History
from hookline_console.live.jobs import Jobs
from hookline_console.live.status_watch import StatusWatch
from hookline_console.origins import Origins
from hookline_console.pages import (
    audit,
    conversations,
    dead,
    dead_actions,
    event,
    jobs,
    outbox,
    overview,
    services,
    sign_in,
    static,
    waiting,
)
from hookline_console.rendering.templates import make_templates
from hookline_shared.clock import Clock
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.system.listening import listen

_PUBLIC: Final = None
_LARGEST_FORM: Final = 64 << 10
_SHUTDOWN_S: Final = 1.0


class Route(NamedTuple):
    """A page. `need` is the role that it needs; None is public."""

    method: str
    path: str
    handler: Handler
    need: Role | None = Role.VIEWER


ROUTES: Final = (
    Route("GET", "/sign-in", sign_in.show, _PUBLIC),
    Route("POST", "/sign-in", sign_in.by_password, _PUBLIC),
    Route("POST", "/sign-in/link", sign_in.print_link, _PUBLIC),
    Route("GET", "/enter", sign_in.enter, _PUBLIC),
    Route("GET", "/static/{name}", static.show, _PUBLIC),
    Route("POST", "/sign-out", sign_in.sign_out),
    Route("GET", "/", overview.show),
    Route("GET", "/live", overview.stream),
    Route("GET", "/charts", overview.chart),
    Route("GET", "/dead", dead.show_all),
    Route("GET", "/dead/replay", dead_actions.preview_replay, Role.OPERATOR),
    Route("POST", "/dead/replay", dead_actions.replay, Role.OPERATOR),
    Route("GET", "/dead/discard", dead_actions.preview_discard, Role.OPERATOR),
    Route("POST", "/dead/discard", dead_actions.discard, Role.OPERATOR),
    Route("GET", "/dead/{id}", dead.show),
    Route("POST", "/dead/{id}/reveal", dead.show_revealed, Role.REVEALER),
    Route("GET", "/waiting", waiting.show),
    Route("GET", "/waiting/retry", waiting.preview_retry, Role.OPERATOR),
    Route("POST", "/waiting/retry", waiting.retry, Role.OPERATOR),
    Route("POST", "/pauses", waiting.pause, Role.OPERATOR),
    Route("POST", "/pauses/{id}/resume", waiting.resume, Role.OPERATOR),
    Route("GET", "/outbox", outbox.show),
    Route("GET", "/events", event.search),
    Route("GET", "/events/{term}", event.show),
    Route("POST", "/events/{term}/reveal", event.show_revealed, Role.REVEALER),
    Route("POST", "/events/{term}/drop", event.drop, Role.OPERATOR),
    Route("GET", "/conversations", conversations.show),
    Route("GET", "/conversations/{id}", conversations.show_thread),
    Route("POST", "/conversations/{id}/reveal", conversations.show_thread_revealed, Role.REVEALER),
    Route("GET", "/services", services.show),
    Route("GET", "/jobs", jobs.show),
    Route("GET", "/jobs/{id}/progress", jobs.show_progress),
    Route("POST", "/jobs/{id}/stop", jobs.stop, Role.OPERATOR),
    Route("GET", "/audit", audit.show),
)


class Where(NamedTuple):
    """What the command line says: the folder of `hookline up`, the admin ports of the services, and who runs the console."""

    data: Path
    admin: Sequence[AdminAddress]
    operator: str


class Console:
    """The console with all its components."""

    def __init__(self, components: Components, collector: Collector, logger: Logger) -> None:
        self._components = components
        self.collector = collector
        guard = Guard(components, {(route.method, route.path): route.need for route in ROUTES}, logger)
        self.app = web.Application(middlewares=[guard.pass_through], client_max_size=_LARGEST_FORM)
        self.app.on_response_prepare.append(guard.add_headers)
        self.app[COMPONENTS] = components
        for route in ROUTES:
            self.app.router.add_route(route.method, route.path, route.handler)
        self._runner = web.AppRunner(self.app, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_S)

    async def start(self, supervisor: Supervisor, stopping: AsyncExitStack) -> None:
        """Start listening, and print a link if people sign in by one."""
        components = self._components
        components.sign_in.check()
        stopping.push_async_callback(components.redis.close)
        stopping.push_async_callback(components.ledger.close)
        await stopping.enter_async_context(self.collector)
        job = await supervisor.spawn("status watch", components.status.run())
        stopping.push_async_callback(job.close)
        stopping.push_async_callback(components.jobs.close)
        await self._runner.setup()
        stopping.push_async_callback(self._runner.cleanup)
        port = await listen(self._runner, components.settings.host, components.settings.port, setting="CONSOLE")
        components.origins.set_port(port)
        components.sign_in.print_link(components.origins.base)


def build_console(
    settings: ConsoleSettings,
    statuses: CollectorSettings,
    where: Where,
    clock: Clock,
    logger: Logger,
    tell: Callable[[str], None],
) -> Console:
    """Build the console. `tell` prints a line in its terminal."""
    redis = RedisSource(settings)
    audit = AuditLog(redis.redis)
    collector = Collector(statuses, where.admin, clock)
    components = Components(
        settings=settings,
        clock=clock,
        redis=redis,
        ledger=LedgerSource(where.data),
        data=where.data,
        audit=audit,
        sign_in=SignIn(settings, where.operator, clock, tell),
        status=StatusWatch(collector, History(redis.redis), clock),
        jobs=Jobs(audit, clock, logger),
        templates=make_templates(),
        origins=Origins(settings),
        logger=logger,
    )
    return Console(components, collector, logger)
