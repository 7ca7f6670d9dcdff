"""Running ingress: its settings, its logs, and its exit code."""

import sys

from hookline_ingress.http.compatibility import AiohttpMismatchError
from hookline_ingress.settings import IngressSettings
from hookline_shared.clock import SystemClock
from hookline_shared.errors import SettingsError
from hookline_shared.lifecycle.process_start import resume_collection
from hookline_shared.lifecycle.service import EXIT_FAILED, EXIT_SETTINGS, run
from hookline_shared.observability.logs import configure_logs, get_logger
from hookline_shared.observability.secrets import SECRETS
from hookline_shared.observability.standard_streams import protect_output
from hookline_shared.observability.tracing import span_log_processors, traced
from hookline_shared.settings.known_secrets import known_secrets


def main() -> int:
    """Run ingress until a signal; return the exit code."""
    protect_output()
    try:
        settings = IngressSettings.load()
    except SettingsError as error:
        sys.stderr.write(f"ingress: {error}\n")
        return EXIT_SETTINGS
    try:
        from hookline_ingress.app import build_ingress  # noqa: PLC0415 - an aiohttp without what it imports is one line, too
    except ImportError as error:
        if not (error.name or "").startswith("aiohttp"):
            raise
        sys.stderr.write(f"ingress: {AiohttpMismatchError()}\n")
        return EXIT_FAILED
    resume_collection()
    SECRETS.add(known_secrets())
    configure_logs(
        settings.log_level, settings.log_format, settings.secrets(), span_log_processors(on=settings.tracing == "on")
    )
    logger = get_logger("ingress")
    clock = SystemClock()
    with traced("hookline-ingress", settings.secrets(), on=settings.tracing == "on"):
        return run(lambda: build_ingress(settings, clock, logger), clock, logger)
