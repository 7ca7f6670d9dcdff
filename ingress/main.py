"""Running ingress: its settings, its logs, and its exit code."""

import sys

from ingress.app import Ingress
from ingress.settings import IngressSettings
from shared.clock import SystemClock
from shared.errors import SettingsError
from shared.logs import configure_logs, get_logger
from shared.service import EXIT_SETTINGS, run
from shared.tracing import traced


def main() -> int:
    """Run ingress until a signal; gives the exit code."""
    try:
        settings = IngressSettings.load()
    except SettingsError as error:
        sys.stderr.write(f"ingress: {error}\n")
        return EXIT_SETTINGS
    configure_logs(settings.log_level, settings.log_format, secrets=settings.secrets(), tracing=settings.tracing == "on")
    logger = get_logger("ingress")
    clock = SystemClock()
    with traced("hookline-ingress", settings.secrets(), on=settings.tracing == "on"):
        return run(lambda: Ingress(settings, clock, logger), clock, logger)
