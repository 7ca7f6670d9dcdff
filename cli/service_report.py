"""What one running service says of itself on its admin port."""

import re
from typing import Final, NamedTuple

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from shared.breaker import State

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
_VERDICT: Final = re.compile(r"^readyz check (passed|failed)$", re.MULTILINE)
_PROBLEM: Final = re.compile(r"^\[-\](\S+) failed: (.*)$", re.MULTILINE)
_WARNING: Final = re.compile(r"^\[!\](\S+) warning: (.*)$", re.MULTILINE)


class ServiceReport(NamedTuple):
    """One process. It is ready if it has no `problems`. `spool_events` and `spool_bytes` are None in a service without a spool;
    `breakers` are states by name."""

    name: str
    port: int
    answers: bool
    problems: list[str]
    warnings: list[str]
    spool_events: int | None
    spool_bytes: int | None
    breakers: dict[str, str]


async def ask(session: aiohttp.ClientSession, name: str, port: int) -> ServiceReport:
    """Ask the service `name` on its admin port; that it does not answer is a report, too."""
    try:
        return parse(name, port, await _get(session, port, "/readyz?verbose"), await _get(session, port, "/metrics"))
    except aiohttp.ClientConnectionError:
        return _silent(name, port, f"nothing answers on port {port}")
    except TimeoutError:
        return _silent(name, port, f"no answer on port {port} within {_TIMEOUT.total} s")
    except (aiohttp.ClientError, ValueError):
        return _silent(name, port, f"what answers on port {port} is no service of Hookline's")


def parse(name: str, port: int, health: str, metrics: str) -> ServiceReport:
    """Read what /readyz?verbose and /metrics gave.

    Raises:
        ValueError: if that is not from a service of Hookline's.

    """
    if not _VERDICT.search(health):
        raise ValueError("no verdict")
    samples = [sample for family in text_string_to_metric_families(metrics) for sample in family.samples]
    numbers = {sample.name: int(sample.value) for sample in samples if sample.name.startswith("hookline_spool_")}
    return ServiceReport(
        name,
        port,
        answers=True,
        problems=[f"{check}: {problem}" for check, problem in _PROBLEM.findall(health)],
        warnings=[f"{check}: {warning}" for check, warning in _WARNING.findall(health)],
        spool_events=numbers.get("hookline_spool_events"),
        spool_bytes=numbers.get("hookline_spool_bytes"),
        breakers={
            sample.labels.get("name", ""): State(int(sample.value)).name.lower().replace("_", "-")
            for sample in samples
            if sample.name == "hookline_breaker_state"
        },
    )


def _silent(name: str, port: int, problem: str) -> ServiceReport:
    return ServiceReport(name, port, False, [problem], [], None, None, {})


async def _get(session: aiohttp.ClientSession, port: int, path: str) -> str:
    async with session.get(f"http://127.0.0.1:{port}{path}", timeout=_TIMEOUT) as response:
        return await response.text()
