"""redis-py, loaded without OpenTelemetry where that is installed. To be imported before whatever else loads redis-py.

redis-py would load OpenTelemetry's SDK for metrics of its own that nobody asked for: 3 MB, and 30 ms at each start.
"""

import sys
from typing import Any

_telemetry: Any = sys.modules.setdefault("opentelemetry", None)  # type: ignore[arg-type]
import redis  # noqa: E402, F401 - see above

if _telemetry is None:
    del sys.modules["opentelemetry"]
