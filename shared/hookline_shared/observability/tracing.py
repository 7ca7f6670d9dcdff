"""Switches tracing on. While it is off, which is the default, OpenTelemetry is not imported."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote

from structlog.typing import Processor

from hookline_shared.observability.logs import Redactor


@contextmanager
def traced(service: str, secrets: Iterable[str], *, on: bool) -> Iterator[None]:
    """Export spans as `service` inside of the `with` block if `on`, and the remaining ones at its end.

    Spans have none of `secrets`. A collector that is down delays nothing but the end, by at most two seconds.
    """
    if not on:
        yield
        return
    from hookline_shared.observability.telemetry import Telemetry  # noqa: PLC0415 - it takes time and memory

    telemetry = Telemetry(service, Redactor(secrets).text)
    try:
        yield
    finally:
        telemetry.close()


def span_log_processors(*, on: bool) -> tuple[Processor, ...]:
    """Return the processors that add the current span to each log line, none unless `on`."""
    if not on:
        return ()
    from hookline_shared.observability.telemetry import name_current_span  # noqa: PLC0415 - as above

    return (name_current_span,)


def collector_secrets() -> Iterator[str]:
    """Yield the values in the headers for the collector of traces, which the SDK reads itself."""
    for name, headers in os.environ.items():
        if name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("HEADERS"):
            values = (pair.partition("=")[2].strip() for pair in headers.split(","))
            yield from (form for value in values for form in (value, unquote(value)))
