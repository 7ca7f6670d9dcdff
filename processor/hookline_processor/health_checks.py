"""The health checks of the processor: what keeps it from working, and what somebody should know."""

from typing import TYPE_CHECKING

from hookline_processor.api.lifespan import Lifespan
from hookline_processor.forward.forwards import Forwards
from hookline_processor.ownership.ownership import Ownership
from hookline_processor.sender.outgoing import Outbox
from hookline_shared.alerts.watcher import AlertWatcher
from hookline_shared.observability.health import Health
from hookline_shared.readers.watch import ReadersWatch
from hookline_shared.redis.manager import RedisConnectionManager

if TYPE_CHECKING:
    from hookline_processor.ledger.service import Ledger


def build_health(
    lifespan: Lifespan,
    redis: RedisConnectionManager,
    ownership: Ownership,
    ledger: "Ledger | None",
    alerts: AlertWatcher,
    readers: ReadersWatch,
    outbox: Outbox,
    forwards: Forwards,
) -> Health:
    """Return the checks of a processor with these parts."""
    health = Health()
    health.ready["handlers"] = lifespan.check
    health.ready["redis"] = redis.monitor.check
    health.ready["reading"] = ownership.check
    health.ready["shutdown"] = health.shutdown
    health.warnings["redis"] = redis.monitor.warnings
    if ledger is not None:
        health.warnings["ledger"] = ledger.warnings
    health.warnings["alert"] = alerts.warnings
    health.warnings["readers"] = readers.warnings
    health.warnings["messages"] = outbox.warnings
    health.warnings["forward"] = forwards.warnings
    return health
