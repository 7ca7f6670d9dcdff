"""A logbook that also writes its lines to a pipe, as a service does, which may be full or closed."""

import json
import os

from structlog.typing import EventDict, WrappedLogger

from hookline_shared.observability.output import Output
from tests.support.observability.logbook import Logbook


class SinkLogbook(Logbook):
    """Writes by `Output`, to a pipe from which nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._output = Output(self._writer)

    def fill(self) -> None:
        """Fill the pipe: nobody reads it."""
        if self._reader >= 0:
            self._output.write(b"\n" * 100_000)

    def hang_up(self) -> None:
        """Close the end of the reader, for good."""
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1

    def close(self) -> None:
        """Close both ends."""
        self.hang_up()
        if self._writer >= 0:
            self._output.flush(0)  # drops what waits, so that no thread waits for the pipe
            os.close(self._writer)
            self._writer = -1

    def _write(self, logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
        if self._writer >= 0:
            self._output.write_line(json.dumps({**line, "level": method}, default=str))
        return super()._write(logger, method, line)
