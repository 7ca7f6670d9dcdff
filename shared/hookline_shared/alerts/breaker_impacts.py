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
        "forward": Impact(
            "The app behind the forward is away, or refuses everything. Its webhooks wait in Redis, in their order, without "
            "using up attempts; callers hear a pause, and after INGRESS_HOLD_S the fallback.",
            "Start or fix the app: `hookline forward test` shows what it answers. Everything is forwarded then, by itself.",
        ),
        "database": Impact(
            "Only the ledger is affected: webhooks are accepted and events are handled as usual. Their history "
            "waits in Redis. When LEDGER_BACKLOG_LIMIT events wait, handling stops.",
            "Do what the cause says, or restore the database; `hookline doctor` checks it. No restart is needed.",
        ),
    }
)
