"""The state of one running service, read from its admin port."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any, Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from hookline_cli.admin_address import AdminAddress, admin_headers
from hookline_cli.status.service_alert import CHECK, ServiceAlert, parse_alert
from hookline_shared.breaker import State

_TIMEOUT_S: Final = 5.0
_VERDICT: Final = re.compile(r"^readyz check (passed|failed)$", re.MULTILINE)
_PROBLEM: Final = re.compile(r"^\[-\](\S+) failed: (.*)$", re.MULTILINE)
_WARNING: Final = re.compile(r"^\[!\](\S+) warning: (.*)$", re.MULTILINE)
_CLOSED: Final = State.CLOSED.name.lower()
_ROLES: Final = {"hookline_ingress_connections": "ingress", "hookline_partitions_owned": "processor"}
"""Metrics that only one of the services has."""
_ACCEPTED: Final = ("accepted", "spooled")
_NOT_SHOWN: Final = ("accepted", "settled", "refuses_token")
_OTHER: Final = "it refuses the ADMIN_TOKEN of this command. Set it to the one with which the service was started"
_SETTLED: Final = ("done", "dead")
"""Outcomes of `hookline_events_total` when ingress has accepted an event, and when the processor has settled it."""


class _NoTokenError(Exception):
    """The service wants an ADMIN_TOKEN, or another one."""


class ServiceReport(NamedTuple):
    """One process. It is ready if it has no `problems`.

    `spool_events` and `spool_bytes` are None in a service without a spool, `partitions_owned` in one that owns none; `breakers`
    are states by name. `accepted` and `settled` count events by topic since the process started. `role` is ingress or
    processor, or empty if that is not known. `alerts` are those that are firing. `refuses_token` is whether it answers, but
    wants another ADMIN_TOKEN.
    """

    name: str
    port: int
    answers: bool
    problems: list[str]
    warnings: list[str]
    spool_events: int | None
    spool_bytes: int | None
    breakers: dict[str, str]
    host: str = ""
    role: str = ""
    partitions_owned: int | None = None
    accepted: Mapping[str, int] = {}
    settled: Mapping[str, int] = {}
    alerts: Sequence[ServiceAlert] = ()
    refuses_token: bool = False

    def left_alone(self) -> list[str]:
        """Return the destinations of handlers whose breaker is not closed. Redis and the database have their own checks."""
        return [
            name
            for name, state in self.breakers.items()
            if state != _CLOSED and name.partition(" ")[0] not in ("redis", "database")
        ]

    def as_object(self) -> dict[str, Any]:
        """Return the --json output for it."""
        shown = {name: value for name, value in self._asdict().items() if name not in _NOT_SHOWN}
        return {"ready": not self.problems, **shown, "alerts": [alert._asdict() for alert in self.alerts]}


async def ask(address: AdminAddress, token: str | None = None) -> ServiceReport:
    """Ask the service at `address`, whose ADMIN_TOKEN is `token`; if it does not answer, the report says so.

    The client of the standard library runs in a thread: aiohttp's would take a fifth of the time of `hookline status` to load.
    """
    where = f"on port {address.port}" if address.name else f"at {address.place}"
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            health, metrics = await asyncio.to_thread(_get, address, ["/readyz?verbose", "/metrics"], token)
        return parse(address, health, metrics)
    except _NoTokenError:
        return _silent(address, _OTHER)._replace(answers=True, refuses_token=True)
    except TimeoutError:
        return _silent(address, f"no answer {where} within {_TIMEOUT_S:g} s")
    except (OSError, UnicodeError):
        return _silent(address, f"nothing answers {where}")
    except (HTTPException, ValueError):
        return _silent(address, f"the program that answers {where} is not a Hookline service")


def parse(address: AdminAddress, health: str, metrics: str) -> ServiceReport:
    """Parse the answers of /readyz?verbose and /metrics.

    Raises:
        ValueError: if they do not come from a Hookline service.

    """
    if not _VERDICT.search(health):
        raise ValueError("no verdict")
    samples = [sample for family in text_string_to_metric_families(metrics) for sample in family.samples]
    numbers = {sample.name: int(sample.value) for sample in samples if not sample.labels and sample.name in _NUMBERS}
    role = next((role for metric, role in _ROLES.items() if metric in numbers), "")
    return ServiceReport(
        name=address.name or f"{role or 'service'} {address.place}",
        port=address.port,
        answers=True,
        problems=[f"{check}: {problem}" for check, problem in _PROBLEM.findall(health)],
        warnings=[f"{check}: {warning}" for check, warning in _WARNING.findall(health) if check != CHECK],
        spool_events=numbers.get("hookline_spool_events"),
        spool_bytes=numbers.get("hookline_spool_bytes"),
        breakers={
            sample.labels.get("name", ""): State(int(sample.value)).name.lower().replace("_", "-")
            for sample in samples
            if sample.name == "hookline_breaker_state"
        },
        host=address.host,
        role=role,
        partitions_owned=numbers.get("hookline_partitions_owned"),
        accepted=_count(samples, _ACCEPTED),
        settled=_count(samples, _SETTLED),
        alerts=tuple(alert for check, text in _WARNING.findall(health) if check == CHECK and (alert := parse_alert(text))),
    )


_NUMBERS: Final = (*_ROLES, "hookline_spool_events", "hookline_spool_bytes")


def _count(samples: Iterable[Sample], outcomes: tuple[str, ...]) -> Counter[str]:
    found: Counter[str] = Counter()
    for sample in samples:
        if sample.name == "hookline_events_total" and sample.labels.get("outcome") in outcomes:
            found[sample.labels.get("topic", "")] += int(sample.value)
    return found


def _silent(address: AdminAddress, problem: str) -> ServiceReport:
    name = address.name or f"service {address.place}"
    return ServiceReport(name, address.port, False, [problem], [], None, None, {}, host=address.host)


def _get(address: AdminAddress, paths: Iterable[str], token: str | None) -> list[str]:
    """Return the pages at `paths`, one after the other."""
    with closing(HTTPConnection(address.host, address.port, timeout=_TIMEOUT_S)) as connection:
        return [_page(connection, path, admin_headers(token)) for path in paths]


def _page(connection: HTTPConnection, path: str, headers: Mapping[str, str]) -> str:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise _NoTokenError
    return answer.read().decode(errors="replace")
