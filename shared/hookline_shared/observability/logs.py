"""Structured logs: one line per event, JSON or for people, without secrets and personal data.

Redaction is done in one place, on the finished event, so that no caller can forget it. Phone numbers keep their last two
digits, so that they can be distinguished. In the logs of users' handlers and their libraries, quotes of the current event are
redacted, too.
"""

import logging
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any, Final, Protocol

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from hookline_shared.observability.redaction import HIDDEN, redact_quotes
from hookline_shared.observability.secrets import SECRETS, KnownSecrets
from hookline_shared.observability.standard_streams import LineWriter, line_writer
from hookline_shared.observability.tracebacks import escape_controls, for_people

Logger = structlog.typing.FilteringBoundLogger


class CurrentEvent(Protocol):
    """The event that is being handled. `personal` has the values that must not be logged."""

    @property
    def personal(self) -> Collection[str]:
        """Its personal values, each once."""
        ...


CURRENT_EVENT: Final[ContextVar[CurrentEvent | None]] = ContextVar("handled", default=None)
"""The event whose handler is running."""

_WHAT_IT_SAYS = frozenset({"body", "params", "profilename", "mediaurl"})
_WHOSE_IT_IS = frozenset({"from", "to", "caller", "called", "phone", "phonenumber", "waid", "address", "email"})
_KEYS = frozenset({"token", "authtoken", "idempotencytoken", "authorization", "signature", "password", "secret", "apikey"})
_PERSONAL_FIELDS = _WHAT_IT_SAYS | _WHOSE_IT_IS | _KEYS
"""Names of fields whose values are hidden, in lower case and without underscores."""
_OURS = frozenset({"timestamp", "level", "service", "event_id", "kind", "attempt", "trace_id", "span_id"})
"""Fields that never quote an event, though their values may occur in one: a customer can write "info" or "message"."""
_OUR_NAMES = _OURS | {"event", "error", "exception", "traceback", "_record", "_from_structlog"}
"""Names of fields that are kept; their values may quote. Structlog needs the last two for the lines of libraries."""
_PHONE_NUMBER = re.compile(r"(\+|%2B)\d(?:[ ().-]{0,2}\d){3,12}(?=[ ().-]{0,2}\d[ ().-]?\d)", re.IGNORECASE)
_METHODS: Final = (
    *("debug", "info", "msg", "warning", "warn", "error", "exception", "critical", "fatal", "log"),
    "_proxy_to_logger",  # for the async methods
)
_NOTHING: Final = "_nop"
"""The name of the methods below the configured level, which cost nothing."""
_UNRENDERED: Final = "a value in it cannot be written as text; log something else"
_STRUCTLOG: Final = str(Path(structlog.__file__).parent)
_DROPPED: Final = "they could not be written in time; check what reads the log, and the space on its disk"
_URL_PASSWORD = re.compile(r"(?<=://)[^/\s]*@")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""Source: https://www.w3.org/TR/trace-context/#traceparent-header"""


class Redactor:
    """A structlog processor that redacts secrets, phone numbers, URL credentials and personal fields."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = KnownSecrets(secrets)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return `event`, redacted."""
        handled = CURRENT_EVENT.get()
        if handled is None:
            return _redact_items(event, self.text)
        redacted = _redact_items(event, lambda text: self.text(redact_quotes(text, handled.personal)), _OUR_NAMES)
        return redacted | {name: _redact(event[name], self.text) for name in _OURS & event.keys()}

    def text(self, text: str) -> str:
        """Return `text` without secrets, URL credentials, and all but the last two digits of phone numbers."""
        text = SECRETS.hide(self._secrets.hide(text))
        if "://" in text:
            text = _URL_PASSWORD.sub(f"{HIDDEN}@", text)
        return _PHONE_NUMBER.sub(r"\1***", text) if "+" in text or "%2" in text else text


def _redact_items(items: Mapping[Any, Any], clean: Callable[[str], str], kept: Collection[str] = frozenset()) -> dict[Any, Any]:
    named = [(name if name in kept else _redact(name, clean), _plain(name), value) for name, value in items.items()]
    return {name: HIDDEN if plain in _PERSONAL_FIELDS else _redact(value, clean) for name, plain, value in named}


def _plain(name: object) -> str:
    return str(name).lower().replace("_", "")


def _redact(value: object, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return _redact_items(value, clean)
    if isinstance(value, list | tuple):
        return [_redact(item, clean) for item in value]
    return value if isinstance(value, int | float | None) else clean(str(value))


def configure_logs(level: str, style: str | None, secrets: Iterable[str] = (), spans: Iterable[Processor] = ()) -> None:
    """Send all logs, those of libraries and Python's warnings too, to standard error.

    `style` is "json" or "console"; None means "console" on a terminal, else "json". `secrets` never appear in any line.
    `spans` add the current span to each line: see `tracing.span_log_processors`.
    """
    console = style == "console" or (style is None and sys.stderr.isatty())
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        *spans,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S.%f" if console else "iso", utc=not console),
        structlog.processors.format_exc_info,
        Redactor(secrets),
    ]
    render: Sequence[Processor] = _console_lines() if console else [structlog.processors.JSONRenderer()]
    severity = logging.getLevelNamesMapping()[level.upper()]
    writer = line_writer(sys.stderr)
    own = structlog.wrap_logger(
        structlog.ReturnLogger(), [*before, *render], structlog.BoundLogger, cache_logger_on_first_use=True
    )
    writer.report = lambda dropped: str(own.warning("log lines were dropped", lines=dropped, remedy=_DROPPED))
    unrendered = _Unrendered(own, writer)
    structlog.configure(
        processors=[*before, *render],
        wrapper_class=_never_raising(structlog.make_filtering_bound_logger(severity), unrendered),
        logger_factory=lambda *_: _LineLogger(writer),
        cache_logger_on_first_use=True,
    )
    handler = _LineHandler(writer, unrendered)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.captureWarnings(capture=True)  # they may quote, too, and Python would write them unredacted
    logging.basicConfig(handlers=[handler], level=max(severity, logging.WARNING), force=True)


class _LineLogger:
    """The end of structlog's chain: it writes the rendered line."""

    def __init__(self, writer: LineWriter) -> None:
        self.msg = writer.write_line
        self.debug = self.info = self.warning = self.warn = self.error = self.exception = self.critical = self.fatal = self.msg


class _Unrendered:
    """Writes a line in the place of one that cannot be rendered, for example because of a `__str__` that fails."""

    def __init__(self, logger: Any, writer: LineWriter) -> None:
        self._logger = logger
        self._writer = writer

    def report(self, error: Exception, place: str) -> None:
        """Name the class of `error`, whose text may fail as well, and the `place` that logs."""
        line = self._logger.warning(
            "log line could not be rendered", error=type(error).__name__, place=place, remedy=_UNRENDERED
        )
        self._writer.write_line(str(line))


class _LineHandler(logging.Handler):
    """Writes the lines of libraries."""

    def __init__(self, writer: LineWriter, unrendered: _Unrendered) -> None:
        super().__init__()
        self._write_line = writer.write_line
        self._unrendered = unrendered

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record`."""
        try:
            self._write_line(self.format(record))
        except Exception as error:  # noqa: BLE001 - it has values of any class, which fail in any way
            self._unrendered.report(error, f"{record.pathname}:{record.lineno}")


def _never_raising(bound_logger: type[Any], unrendered: _Unrendered) -> type[Any]:
    """Return `bound_logger` with methods that never raise: what is reported must continue."""

    def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
        def log(*args: Any, **fields: Any) -> Any:
            try:
                return method(*args, **fields)
            except Exception as error:  # noqa: BLE001 - it has values of any class, which fail in any way
                unrendered.report(error, _calling_place())

        return log

    methods = {name: getattr(bound_logger, name) for name in _METHODS}
    logging_ones = {name: guarded(method) for name, method in methods.items() if method.__name__ != _NOTHING}
    return type(bound_logger.__name__, (bound_logger,), logging_ones)


def _calling_place() -> str:
    """Return the file and line of the code that logs."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and (frame.f_code.co_filename == __file__ or _STRUCTLOG in frame.f_code.co_filename):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "?"


def _console_lines() -> Sequence[Processor]:
    plain = structlog.dev.plain_traceback  # the exception is text by then, which rich cannot format
    return [
        _show_traceback,
        _escape_values,
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False, exception_formatter=plain),
    ]


def _show_traceback(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Move the traceback, if there is one, to the field that the renderer writes on separate lines."""
    found = event.pop("traceback", None) or event.get("exception")
    if found:
        event["exception"] = for_people(str(found))
    return event


def _escape_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape control and bidirectional characters: a terminal would obey them. The renderer does so in nested values."""
    return {
        escape_controls(name): escape_controls(value) if isinstance(value, str) and name != "exception" else value
        for name, value in event.items()
    }


def get_logger(service: str) -> Logger:
    """Return the logger of `service`, which is a field of every line."""
    logger: Logger = structlog.get_logger(service=service)
    return logger


def trace_fields(traceparent: str) -> dict[str, str]:
    """Return the field `trace_id` of a log line; none if `traceparent`, which is untrusted, is not valid."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return {"trace_id": found[1]} if found else {}
