"""`hookline alert test`: post a test alert and its resolution to ALERT_URL."""

import asyncio
from pathlib import Path
from socket import gethostname
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
import typer

from hookline_cli.output.options import AsJson, DataFolder
from hookline_cli.output.terminal import json_text
from hookline_cli.settings.running import find_running
from hookline_shared.alerts.formats import AlertFormat, format_of
from hookline_shared.alerts.hysteresis import Change
from hookline_shared.alerts.notifier import Notifier
from hookline_shared.alerts.rule import Rule, Watcher
from hookline_shared.alerts.settings import AlertSettings
from hookline_shared.alerts.thresholds import Level, Threshold
from hookline_shared.alerts.units import Unit
from hookline_shared.clock import SystemClock
from hookline_shared.errors import HooklineError
from hookline_shared.observability.logs import configure_logs, get_logger
from hookline_shared.settings.base import SharedSettings

_RULE: Final = Rule(
    "test",
    Watcher.BOTH,
    Threshold(threshold=1, clear=0, for_s=0, level=Level.WARNING),
    Unit.COUNT,
    "nothing",
    "This is a test of the channel for alerts, sent by `hookline alert test`.",
    "None: nothing is wrong. Real alerts come from the services, and look like this.",
    "Nothing has to be done. Open the link to the runbook, to see whether it works from here.",
)
_SECTION: Final = "troubleshooting-by-symptom"
_NO_RUNBOOK: Final = (
    "RUNBOOK_URL is not set, so alerts have no link that opens: they name the file and the section. Set it to the address of "
    "your copy of docs/runbook.md."
)


class AlertTestError(HooklineError):
    """The test alert could not be posted."""


def send_test(
    level: Annotated[Level, typer.Option(help="The level of the alert: critical may wake somebody up.")] = Level.WARNING,
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """Post a test alert to ALERT_URL, and after it that it is resolved, in the format that the services use.

    It shows whether this machine can reach the receiver, and whether that accepts the format. The services post from their own
    machines, with their own settings.

    Example: `hookline alert test --level critical`
    """
    shared = SharedSettings.load(find_running(data).adopted)
    configure_logs("error", "console", shared.secrets())
    settings = shared.alerts
    if settings.url is None:
        raise AlertTestError("ALERT_URL is not set here, so alerts are only logged and shown by `hookline status`.")
    kind, host = format_of(settings.url, settings.format), urlsplit(settings.url).hostname
    problem = asyncio.run(_post(settings, level))
    if problem:
        raise AlertTestError(f"The test alert was not accepted by {host}, in the format {kind}: {problem}. {_advice(settings)}")
    if as_json:
        typer.echo(json_text({"accepted": 2, "host": host, "format": kind.value, "runbook_url": settings.runbook_url}))
        return
    typer.echo(f"{host} accepted a test alert and its resolution, in the format {kind}.")
    if settings.runbook_url is None:
        typer.echo(_NO_RUNBOOK)


async def _post(settings: AlertSettings, level: Level) -> str | None:
    clock = SystemClock()
    notifier = Notifier(settings, "hookline", clock, get_logger("alert"))
    return await notifier.post_now(_changes(settings, level, clock.now_ms()), f"hookline {gethostname()}")


def _changes(settings: AlertSettings, level: Level, now_ms: int) -> list[Change]:
    limit = msgspec.structs.replace(_RULE.limit, level=level)
    link = f"{settings.runbook_url}#{_SECTION}" if settings.runbook_url else None
    firing = Change(_RULE, limit, "", True, 1, now_ms, now_ms, link)
    return [firing, firing._replace(raised=False, value=0)]


def _advice(settings: AlertSettings) -> str:
    if format_of(settings.url or "", settings.format) is AlertFormat.PAGERDUTY and not settings.routing_key:
        return "Set ALERT_ROUTING_KEY to the integration key of the PagerDuty service."
    return "Check ALERT_URL and ALERT_FORMAT, and that this machine may connect there (HTTPS_PROXY)."
