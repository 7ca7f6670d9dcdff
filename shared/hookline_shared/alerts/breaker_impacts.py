"""What an open breaker means, by the first word of its name. For all other names, the rule `breaker_open` says it.

Each breaker has its own consequence: people who read "webhooks go to the spool" look for a broken Redis, although only a table
of the ledger is missing.
"""

from types import MappingProxyType
from typing import Final

from hookline_shared.alerts.rule import Impact

IMPACTS: Final = MappingProxyType(
    {
        "redis": Impact(
            "Webhooks go to the spool of ingress; without one, or when it is full, they get a 503. Nothing is handled.",
            "Restore Redis; `hookline doctor` says what is wrong. The breaker closes by itself within seconds.",
        ),
        "database": Impact(
            "Only the ledger is affected: webhooks are accepted and events are handled as usual. Their history "
            "waits in Redis. When LEDGER_BACKLOG_LIMIT events wait, handling stops.",
            "Do what the cause says, or restore the database; `hookline doctor` checks it. No restart is needed.",
        ),
    }
)
