"""`hookline status`: what waits in Redis and in the spools, and how every service is."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import aiohttp
import typer
from pydantic import Field
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.service_report import ServiceReport, ask
from cli.workspace import Facts, Workspace
from ingress.settings import IngressSettings
from processor.settings import ProcessorSettings
from shared.broker.connection import RedisConnectionManager
from shared.broker.inspect import Backlog, backlogs, partitions_in_use
from shared.clock import SystemClock
from shared.errors import HooklineError
from shared.logs import configure_logs, get_logger
from shared.settings import Port, SharedSettings

_NOT_RUNNING: Final = (
    "No service of Hookline's answers here, looked for on port {ports}. Start them with `hookline up`, "
    "or name the folder of the one that runs with --data."
)


class StatusError(HooklineError):
    """Something is not as it should be; one line for each `problems`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n  - ".join([f"{len(problems)} problems:", *problems] if len(problems) > 1 else problems))


class StatusSettings(SharedSettings):
    """Where to look, if no `hookline up` has said so."""

    ingress_admin_port: Port = Field(IngressSettings.model_fields["admin_port"].default, validation_alias="INGRESS_ADMIN_PORT")
    processor_admin_port: Port = Field(
        ProcessorSettings.model_fields["admin_port"].default, validation_alias="PROCESSOR_ADMIN_PORT"
    )

    def admin_ports(self) -> dict[str, int]:
        """Give the admin port of each service."""
        return {"ingress": self.ingress_admin_port, "processor": self.processor_admin_port}


class Status(NamedTuple):
    """All that was found out. Without an answer from Redis, `topics` is empty and `redis_problem` says why."""

    topics: dict[str, Backlog]
    redis_problem: str | None
    services: list[ServiceReport]

    def problems(self) -> list[str]:
        """Give what is wrong, each with a remedy in one line."""
        if not any(service.answers for service in self.services):
            ports = ", ".join(str(service.port) for service in self.services)
            return [_NOT_RUNNING.format(ports=ports)]
        redis = [self.redis_problem] if self.redis_problem else []
        return redis + [problem for service in self.services for problem in _problems_of(service)]


def status(
    data: Annotated[Path, typer.Option(help="Folder of `hookline up`.")] = Path("var"),
    as_json: Annotated[bool, typer.Option("--json", help="Print it for programs, as one JSON object.")] = False,
) -> None:
    """Show the backlog of each topic, and of each service whether it is ready, its spool and its breakers.

    The exit code is 1 if anything is not as it should be.

    Example: hookline status --json
    """
    facts = Workspace(data).announced()
    settings = _settings(facts)
    configure_logs("error", "console", settings.secrets())
    found = asyncio.run(_look(settings, facts.admin_ports or settings.admin_ports()))
    if as_json:
        typer.echo(json.dumps(as_object(found), indent=2))
    else:
        _show(found, SystemClock().now_ms())
    if problems := found.problems():
        raise StatusError(problems)


def _settings(facts: Facts) -> StatusSettings:
    settings = StatusSettings.load()
    if facts.redis_url:
        return settings.model_copy(update={"redis_url": facts.redis_url})
    if facts.admin_ports and "redis_url" not in settings.model_fields_set:
        raise StatusError(["The REDIS_URL of `hookline up` has a password, so it was not written down. Set it here, too."])
    return settings


async def _look(settings: StatusSettings, admin_ports: Mapping[str, int]) -> Status:
    async with aiohttp.ClientSession() as session:
        asked = (ask(session, name, port) for name, port in admin_ports.items())
        topics, services = await asyncio.gather(_backlogs(settings), asyncio.gather(*asked))
    return Status({}, topics, services) if isinstance(topics, str) else Status(topics, None, services)


async def _backlogs(settings: StatusSettings) -> dict[str, Backlog] | str:
    """Give the backlog of each topic, or why Redis does not tell."""
    redis = RedisConnectionManager(settings.redis_options(), settings.partitions, SystemClock(), get_logger("status"))
    try:
        await redis.monitor.locate()
        partitions = await partitions_in_use(redis) or settings.partitions
        return await backlogs(redis, partitions, list(settings.topics))
    except HooklineError as error:
        return str(error)
    finally:
        await redis.close()


def _problems_of(service: ServiceReport) -> list[str]:
    if service.answers:
        return [f"{service.name} is not ready: {problem}" for problem in service.problems]
    return [
        f"{service.name}: {problem}. Start it, or say with --data or its _ADMIN_PORT where it is."
        for problem in service.problems
    ]


def as_object(found: Status) -> dict[str, object]:
    """Give what --json prints. `oldest_ms` is Unix time in milliseconds, null if nothing waits."""
    return {
        "topics": {topic: backlog._asdict() for topic, backlog in found.topics.items()},
        "services": [{"ready": not service.problems, **service._asdict()} for service in found.services],
        "problems": found.problems(),
    }


def _show(found: Status, now_ms: int) -> None:
    console = Console()
    if found.topics:
        console.print(_topics(found.topics, now_ms))
    if any(service.answers for service in found.services):
        console.print(_services(found.services))
    for service in found.services:
        for warning in service.warnings:
            console.print(f"[yellow]warning[/] {escape(f'{service.name}: {warning}')}", highlight=False, soft_wrap=True)


def _topics(topics: Mapping[str, Backlog], now_ms: int) -> Table:
    table = Table("topic", "events waiting", "oldest")
    for topic, backlog in topics.items():
        age = "" if backlog.oldest_ms is None else f"{max(0, now_ms - backlog.oldest_ms) / 1000:.0f} s"
        table.add_row(topic, str(backlog.events), age)
    return table


def _services(services: list[ServiceReport]) -> Table:
    table = Table("service", "admin port", "state", "spool", "breakers")
    for service in services:
        spool = "" if service.spool_events is None else f"{service.spool_events} events, {service.spool_bytes} bytes"
        breakers = ", ".join(f"{name} {state}" for name, state in service.breakers.items())
        row = (service.name, str(service.port), "\n".join(service.problems) or "ready", spool, breakers)
        table.add_row(*map(escape, row))
    return table
