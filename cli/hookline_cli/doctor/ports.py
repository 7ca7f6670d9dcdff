"""Check that the ports are free, or that Hookline's own services listen on them."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Final, NamedTuple

import aiohttp

from hookline_cli.admin_address import AdminAddress, reachable
from hookline_cli.doctor.finding import Finding, fine, problem, warning
from hookline_cli.doctor.subject import Subject
from hookline_cli.status.service_report import ServiceReport, ask

_CHECK: Final = "ports"
_CONNECT_S: Final = 2.0


class ListenAddress(NamedTuple):
    """An address on which a service listens, and the beginning of the names of its settings."""

    what: str
    host: str
    port: int
    setting: str


async def check_ports(subject: Subject) -> list[Finding]:
    """Check every port in the settings, and the services that run there."""
    found: list[Finding] = []
    async with aiohttp.ClientSession() as session:
        if ingress := subject.ingress:
            report = await ask(session, AdminAddress("ingress", reachable(ingress.admin_host), ingress.admin_port))
            found += await _service(report, ListenAddress("ingress", ingress.admin_host, ingress.admin_port, "INGRESS_ADMIN"))
            running = report.answers and report.role == "ingress"
            found += await _webhooks(ListenAddress("webhooks", ingress.host, ingress.port, "INGRESS"), running=running)
        if processor := subject.processor:
            report = await ask(session, AdminAddress("processor", reachable(processor.admin_host), processor.admin_port))
            found += await _service(
                report, ListenAddress("processor", processor.admin_host, processor.admin_port, "PROCESSOR_ADMIN")
            )
    return found


async def _service(report: ServiceReport, door: ListenAddress) -> list[Finding]:
    if not report.answers:
        return [await _free(door, f"{door.what} is not running here; its admin port {door.port} is free")]
    if report.role != door.what:
        return [_taken(door, f"another Hookline {report.role or 'service'} listens on port {door.port}")]
    return [fine(_CHECK, f"{door.what} is running; its admin port is {door.port}"), *_not_ready(report)]


def _not_ready(report: ServiceReport) -> Iterator[Finding]:
    for reason in report.problems:
        yield problem(
            _CHECK,
            f"{report.name} is not ready: {reason}",
            "It cannot work now.",
            "Fix that; it then recovers by itself.",
        )


async def _webhooks(door: ListenAddress, *, running: bool) -> list[Finding]:
    if not running:
        return [await _free(door, f"webhook port {door.port} is free")]
    if not await _listens(door):
        text = f"ingress is running, but nothing listens on port {door.port}"
        remedy = "Set INGRESS_PORT to the port that ingress was started with, or restart ingress."
        return [warning(_CHECK, text, "It was started with other settings than this command.", remedy)]
    return [fine(_CHECK, f"ingress accepts webhooks on port {door.port}")]


async def _free(door: ListenAddress, text: str) -> Finding:
    if not door.port:
        return fine(_CHECK, f"the operating system chooses the port of {door.what}")
    if await _listens(door):
        return _taken(door, f"another program listens on port {door.port}")
    if reason := _cannot_listen(door):
        meaning = f"{door.setting.partition('_')[0].lower()} will not start."
        remedy = f"Set {door.setting}_HOST to an address of this machine and {door.setting}_PORT to a port that you may use."
        return problem(_CHECK, f"cannot listen on {door.host}, port {door.port}: {reason}", meaning, remedy)
    return fine(_CHECK, text)


def _taken(door: ListenAddress, text: str) -> Finding:
    meaning = f"{door.setting.partition('_')[0].lower()} will not start."
    return problem(_CHECK, text, meaning, f"Stop it, or choose another {door.setting}_PORT.")


async def _listens(door: ListenAddress) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(reachable(door.host), door.port)
    except (OSError, TimeoutError, UnicodeError):
        return False
    writer.close()
    return True


def _cannot_listen(door: ListenAddress) -> str | None:
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(door.host, door.port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None
