"""Snapshots of `hookline status`, made of what a test says, and how they are shown."""

from typing import Any

from rich.console import Console

from hookline_cli.status.rates import TopicRates
from hookline_cli.status.service_report import ServiceReport
from hookline_cli.status.snapshot import RedisState, Snapshot
from hookline_cli.status.view import StatusView
from hookline_shared.streams.ownership.lease import Lease
from hookline_shared.streams.ownership.membership import Member

FREE = Lease("", 7, 0)


def report(name: str, *problems: str, answers: bool = True, **changes: Any) -> ServiceReport:
    """Return what a service answered; `changes` are other fields of it."""
    made = ServiceReport(name, 9080, answers, list(problems), [], None, None, {}, "127.0.0.1")
    return made._replace(**changes)


def situation(
    *services: ServiceReport, redis: RedisState | None = None, problem: str | None = None, rates: TopicRates | None = None
) -> Snapshot:
    """Return a snapshot with these reports."""
    return Snapshot(1_750_000_000_000, redis or RedisState(), problem, services, rates)


def owned(*owners_: str) -> RedisState:
    """Return a Redis in which each partition has its owner in `owners_`, and every owner is there."""
    leases = [Lease(owner, 7, 9000) if owner else FREE for owner in owners_]
    present = [Member(owner, 100) for owner in dict.fromkeys(owners_) if owner]
    return RedisState(["Redis 7.4.0, standalone"], (), len(leases), {}, present, leases)


def shown(found: Snapshot, width: int, height: int | None = None, *, verbose: bool = False) -> list[str]:
    """Return the lines on a terminal of this width and height; without a height, those of a file."""
    is_terminal = height is not None
    console = Console(width=width, height=height, force_terminal=is_terminal, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(StatusView(found, verbose=verbose), highlight=False)
    return capture.get().splitlines()
