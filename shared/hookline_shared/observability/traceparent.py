"""The trace that a W3C traceparent names, for log lines. Pure. Source: https://www.w3.org/TR/trace-context/#traceparent-header."""

import re
from typing import Final

_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def trace_fields(traceparent: str) -> dict[str, str]:
    """Return the field `trace_id` of a log line, none if `traceparent`, which anybody may have sent, names no trace."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return {"trace_id": found[1]} if found else {}
