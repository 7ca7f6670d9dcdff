"""Structured logs: one line per event, JSON or for people, with secrets and personal data taken out.

Redaction happens in one place, on the finished event, so that no caller can forget it. Numbers keep their last two digits,
so that two of them can be told apart.
"""

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

_rich: Any = sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
import structlog  # noqa: E402 - without rich, which it would load for tracebacks that are text by the time they get there: 3 MB
from structlog.typing import EventDict, Processor, WrappedLogger  # noqa: E402

if _rich is None:
    del sys.modules["rich"]

Logger = structlog.typing.FilteringBoundLogger

_PERSONAL_FIELDS = frozenset({"body", "params", "from", "from_", "to", "token", "auth_token", "password", "signature"})
_PHONE_NUMBER = re.compile(r"(\+|%2B)\d{4,13}(?=\d{2})", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?<=://)[^/\s]*@")
_HIDDEN = "[redacted]"
_LONG = 4
"""A shorter personal value is hidden only where it stands alone, or a message "1" would blot out every line number."""


class Redactor:
    """A structlog processor that hides `secrets`, phone numbers, URL credentials and the fields that hold them."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)  # one may contain another

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Give `event` as it may be written."""
        return self._redact_items(event)

    def _redact_items(self, items: Mapping[Any, Any]) -> dict[Any, Any]:
        named = [(self._redact(name), str(name).lower(), value) for name, value in items.items()]
        return {name: _HIDDEN if plain in _PERSONAL_FIELDS else self._redact(value) for name, plain, value in named}

    def _redact(self, value: object) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self._redact_items(value)
        if isinstance(value, list | tuple):
            return [self._redact(item) for item in value]
        return value if isinstance(value, int | float | None) else self.text(str(value))

    def text(self, text: str) -> str:
        """Give `text` without secrets, URL credentials, and all but the last two digits of phone numbers."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        if "://" in text:
            text = _URL_PASSWORD.sub(f"{_HIDDEN}@", text)
        return _PHONE_NUMBER.sub(r"\1***", text) if "+" in text or "%2" in text else text


def configure_logs(level: str, style: str | None, secrets: Iterable[str] = (), *, tracing: bool = False) -> None:
    """Send all logs, those of libraries too, to standard error.

    `style` is "json" or "console"; None means "console" on a terminal, else "json". `secrets` never appear in any line.
    With `tracing`, each line names the span in which it is written.
    """
    console = style == "console" or (style is None and sys.stderr.isatty())
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        *_span_naming(on=tracing),
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S.%f" if console else "iso", utc=not console),
        structlog.processors.format_exc_info,
        Redactor(secrets),
    ]
    render: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False)
        if console
        else structlog.processors.JSONRenderer()
    )
    severity = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*before, render],
        wrapper_class=structlog.make_filtering_bound_logger(severity),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(severity, logging.WARNING), force=True)


def _span_naming(*, on: bool) -> Iterable[Processor]:
    if not on:
        return ()
    from shared.telemetry import name_current_span  # noqa: PLC0415 - only who traces has OpenTelemetry

    return (name_current_span,)


def hide(text: str, values: Iterable[str]) -> str:
    """Give `text` without `values`, the personal ones of an event that an error message may quote."""
    longest_first = sorted({value.strip() for value in values} - {""}, key=len, reverse=True)
    if not longest_first:
        return text
    patterns = (re.escape(value) if len(value) >= _LONG else rf"(?<!\w){re.escape(value)}(?!\w)" for value in longest_first)
    return re.sub("|".join(patterns), _HIDDEN, text)


def get_logger(service: str) -> Logger:
    """Give the logger of `service`; every line names it."""
    logger: Logger = structlog.get_logger(service=service)
    return logger
