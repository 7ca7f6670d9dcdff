"""Check that the ports are free, or that Hookline's own services listen on them."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Final, NamedTuple

from hookline_cli.admin_address import AdminAddress, reachable
from hookline_cli.doctor.finding import Finding, fine, problem, warning
from hookline_cli.doctor.subject import Subject
from hookline_cli.status.service_report import ServiceReport, ask

_CHECK: Final = "ports"
_ALERTS: Final = "alerts"
_CONNECT_S: Final = 2.0


class ListenAddress(NamedTuple):
    """An address on which a service listens, and the beginning of the names of its settings."""

    name: str
    host: str
    port: int
    setting: str


async def check_ports(subject: Subject) -> list[Finding]:
    """Check every port in the settings, and the services that run there."""
    found: list[Finding] = []
    if ingress := subject.ingress:
        report = await ask(AdminAddress("ingress", reachable(ingress.admin_host), ingress.admin_port), ingress.admin_token)
        found += await _check_admin_port(
            report, ListenAddress("ingress", ingress.admin_host, ingress.admin_port, "INGRESS_ADMIN")
        )
        running = report.role == "ingress" or report.refuses_token
        found += await _check_webhook_port(ListenAddress("webhooks", ingress.host, ingress.port, "INGRESS"), running=running)
    if processor := subject.processor:
        report = await ask(
            AdminAddress("processor", reachable(processor.admin_host), processor.admin_port), processor.admin_token
        )
        found += await _check_admin_port(
            report, ListenAddress("processor", processor.admin_host, processor.admin_port, "PROCESSOR_ADMIN")
        )
    return found


async def _check_admin_port(report: ServiceReport, address: ListenAddress) -> list[Finding]:
    if report.refuses_token:
        return [_refused(report, address)]
    if not report.answers:
        return [await _check_free(address, f"{address.name} is not running here; its admin port {address.port} is free")]
    if report.role != address.name:
        return [_taken(address, f"another Hookline {report.role or 'service'} listens on port {address.port}")]
    return [fine(_CHECK, f"{address.name} is running; its admin port is {address.port}"), *_not_ready(report), *_alerts(report)]


def _refused(report: ServiceReport, address: ListenAddress) -> Finding:
    found = f"{report.name} is running, but its admin port {address.port} refuses ADMIN_TOKEN"
    meaning = "This command and hookline status cannot ask it how it is."
    return problem(_CHECK, found, meaning, "Set ADMIN_TOKEN to the one with which the service was started.")


def _not_ready(report: ServiceReport) -> Iterator[Finding]:
    for reason in report.problems:
        yield problem(
            _CHECK,
            f"{report.name} is not ready: {reason}",
            "It cannot work now.",
            "Fix that; it then recovers by itself.",
        )


def _alerts(report: ServiceReport) -> Iterator[Finding]:
    """Yield the alerts that the service fires: nothing is well while one does."""
    for alert in report.alerts:
        found, _, rest = alert.text.partition(" Impact: ")
        meaning, _, remedy = rest.partition(" Fix: ")
        yield warning(_ALERTS, f"{report.name} fires {alert.title} ({alert.level}): {found}", meaning, remedy)


async def _check_webhook_port(address: ListenAddress, *, running: bool) -> list[Finding]:
    if not running:
        return [await _check_free(address, f"webhook port {address.port} is free")]
    if not await _listens(address):
        text = f"ingress is running, but nothing listens on port {address.port}"
        remedy = "Set INGRESS_PORT to the port that ingress was started with, or restart ingress."
        return [warning(_CHECK, text, "It was started with other settings than this command.", remedy)]
    return [fine(_CHECK, f"ingress accepts webhooks on port {address.port}")]


async def _check_free(address: ListenAddress, text: str) -> Finding:
    if not address.port:
        return fine(_CHECK, f"the operating system chooses the port of {address.name}")
    if await _listens(address):
        return _taken(address, f"another program listens on port {address.port}")
    if reason := _cannot_listen(address):
        meaning = f"{address.setting.partition('_')[0].lower()} will not start."
        remedy = (
            f"Set {address.setting}_HOST to an address of this machine and {address.setting}_PORT to a port that you may use."
        )
        return problem(_CHECK, f"cannot listen on {address.host}, port {address.port}: {reason}", meaning, remedy)
    return fine(_CHECK, text)


def _taken(address: ListenAddress, text: str) -> Finding:
    meaning = f"{address.setting.partition('_')[0].lower()} will not start."
    return problem(_CHECK, text, meaning, f"Stop it, or choose another {address.setting}_PORT.")


async def _listens(address: ListenAddress) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(reachable(address.host), address.port)
    except (OSError, TimeoutError, UnicodeError):
        return False
    writer.close()
    return True


def _cannot_listen(address: ListenAddress) -> str | None:
    try:
        (family, kind, protocol, _, found), *_ = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found)
    except (OSError, UnicodeError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None
