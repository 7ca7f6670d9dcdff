"""The output of `hookline status --json`. Pure."""

from typing import Any

from hookline_cli.output.redaction import Redaction
from hookline_cli.pause import rows
from hookline_cli.status.issues import issues
from hookline_cli.status.rates import TopicRate
from hookline_cli.status.snapshot import Snapshot, TopicState, owners


def as_object(found: Snapshot) -> dict[str, Any]:
    """Return the output of --json. `oldest_ms` is Unix time in milliseconds, null if there is no backlog; an unknown rate is
    null, too."""
    return {
        "topics": {name: _topic_object(state, found.rate(name)) for name, state in found.redis.topics.items()},
        "services": [service.as_object() for service in found.services],
        "problems": found.problems(),
        "issues": [one.as_object() for one in issues(found)],
        "warnings": [{"from": who, "warning": warning} for who, warning in found.warnings()],
        "partitions": [
            {"partition": number, "owner": lease.owner if lease.left_ms else None, "lease_left_ms": lease.left_ms}
            for number, lease in enumerate(found.redis.leases)
        ],
        "pauses": [rows.as_object(pause, Redaction(reveal=False)) for pause in found.redis.pauses],
        "processors": [owner._asdict() for owner in owners(found.redis)],
        "redis": {"servers": list(found.redis.servers), "problem": found.redis_problem},
        "rates_over_s": round(found.rates.seconds, 3) if found.rates else None,
        "at_ms": found.at_ms,
    }


def _topic_object(state: TopicState, rate: TopicRate) -> dict[str, Any]:
    per_s = {f"{name}_per_s": None if value is None else round(value, 3) for name, value in rate._asdict().items()}
    return state._asdict() | per_s
