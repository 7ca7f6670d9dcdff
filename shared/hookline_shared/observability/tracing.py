"""The switch of tracing. Off, which is the default, costs nothing: OpenTelemetry is not even imported."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote

from structlog.typing import Processor

from hookline_shared.observability.logs import Redactor


@contextmanager
def traced(service: str, secrets: Iterable[str], *, on: bool) -> Iterator[None]:
    """If `on`, collect spans under the name `service` inside of this, and send what is left when it ends.

    No span holds `secrets`. A collector that is away holds up nothing, and the end for at most two seconds.
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
    """Return what names the current span in each log line, if `on`."""
    if not on:
        return ()
    from hookline_shared.observability.telemetry import name_current_span  # noqa: PLC0415 - as above

    return (name_current_span,)


def collector_secrets() -> Iterator[str]:
    """Return what the headers for the collector of traces hold, which the SDK reads by itself."""
    for name, headers in os.environ.items():
        if name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("HEADERS"):
            values = (pair.partition("=")[2].strip() for pair in headers.split(","))
            yield from (form for value in values for form in (value, unquote(value)))
