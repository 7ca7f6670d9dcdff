"""The components of a console, which its pages take from the application."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web
from jinja2 import Environment

from hookline_cli.audit import AuditLog
from hookline_cli.settings.console import ConsoleSettings
from hookline_console.access.sign_in import SignIn
from hookline_console.data_sources import LedgerSource, RedisSource
from hookline_console.live.jobs import Jobs
from hookline_console.live.status_watch import StatusWatch
from hookline_console.origins import Origins
from hookline_shared.clock import Clock
from hookline_shared.observability.logs import Logger


@dataclass(frozen=True)
class Components:
    """Everything that a page may need."""

    settings: ConsoleSettings
    clock: Clock
    redis: RedisSource
    ledger: LedgerSource
    data: Path
    audit: AuditLog
    sign_in: SignIn
    status: StatusWatch
    jobs: Jobs
    templates: Environment
    origins: Origins
    logger: Logger


COMPONENTS: Final = web.AppKey("components", Components)
