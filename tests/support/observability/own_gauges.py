"""What alerts look at besides counters: states, in which other tests of the process leave what they made."""

import pytest
from prometheus_client import Gauge

from hookline_shared.observability.loop_lag import LoopLag

_GAUGES = {"BREAKER_STATE": ["name"], "REDIS_POOL_CONNECTIONS": ["pool", "state"], "REDIS_DATA_AT_RISK": ["reason"]}


def own_gauges(monkeypatch: pytest.MonkeyPatch) -> LoopLag:
    """Let a test have its own, of which all is well; return that of the event loop's lag, whose clock is the test's."""
    for name, labels in _GAUGES.items():
        monkeypatch.setattr(
            f"hookline_shared.alerts.measures.{name}", Gauge(name.lower(), "As it was made", labels, registry=None)
        )
    lag = LoopLag()
    monkeypatch.setattr("hookline_shared.alerts.measures.LOOP_LAG", lag)
    return lag
