"""A logger whose lines a test can read."""

from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from hookline_shared.observability.logs import Logger


class Logbook:
    """Keeps the lines written with `logger`, as they are before redaction and rendering."""

    def __init__(self) -> None:
        self.lines: list[EventDict] = []
        self.logger: Logger = structlog.wrap_logger(
            None,
            processors=[self._write],
            wrapper_class=structlog.make_filtering_bound_logger(0),
            cache_logger_on_first_use=False,
        )

    def find(self, event: str) -> Mapping[str, Any] | None:
        """Return the last line of `event`, or None."""
        return next((line for line in reversed(self.lines) if line["event"] == event), None)

    def _write(self, _logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
        self.lines.append({**line, "level": method})
        raise structlog.DropEvent
