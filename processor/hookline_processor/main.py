"""The entry point of the processor: settings, logs, and exit code."""

import os
import sys

from hookline_processor.api.handlers import Handlers
from hookline_processor.app import build_processor
from hookline_processor.attempts.threads import Threads
from hookline_processor.loading.loading import load, log_only, working_folder
from hookline_processor.settings import ProcessorSettings
from hookline_shared.clock import SystemClock
from hookline_shared.errors import HooklineError, SettingsError
from hookline_shared.lifecycle.process_start import resume_collection
from hookline_shared.lifecycle.service import EXIT_FAILED, EXIT_SETTINGS, run
from hookline_shared.observability.logs import Logger, configure_logs, get_logger
from hookline_shared.observability.secrets import SECRETS
from hookline_shared.observability.standard_streams import flush_output, protect_output
from hookline_shared.observability.tracing import span_log_processors, traced
from hookline_shared.settings.known_secrets import known_secrets


def main() -> int:
    """Run the processor until a signal, and return the exit code."""
    resume_collection()  # the user's modules may create any amount of garbage
    protect_output()
    try:
        settings = ProcessorSettings.load()
        SECRETS.add({*known_secrets(), *settings.sender.secrets})
        configure_logs(
            settings.log_level, settings.log_format, settings.secrets(), span_log_processors(on=settings.tracing == "on")
        )
        logger = get_logger("processor")
        handlers = _load(settings.handlers, logger) if settings.handlers else _default_handlers(settings)
    except HooklineError as error:
        sys.stderr.write(f"processor: {error}\n")
        return EXIT_SETTINGS if isinstance(error, SettingsError) else EXIT_FAILED
    for ignored in settings.ignored():
        logger.warning("setting ignored", setting=ignored.fallback.variable, reason=str(ignored))
    clock = SystemClock()
    threads = Threads(2 * settings.concurrency)  # as many again may be overdue, and still need theirs
    with traced("hookline-processor", settings.secrets(), on=settings.tracing == "on"):
        code = run(lambda: build_processor(settings, handlers, threads, clock, logger), clock, logger)
    if threads.busy:
        flush_output()
        os._exit(code)  # a plain function cannot be stopped, and would keep the interpreter from exiting
    return code


def _default_handlers(settings: ProcessorSettings) -> Handlers:
    """Return handlers that settle everything, or if webhooks are forwarded, none: those that are not must not get lost."""
    return Handlers() if settings.forwards else log_only()


def _load(location: str, logger: Logger) -> Handlers:
    folder = working_folder()
    handlers = load(location, folder)
    for module in folder.hidden():
        logger.warning("module hidden", module=module.name, file=str(module.file), by=module.by, remedy="rename it")
    return handlers
