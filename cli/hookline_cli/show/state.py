"""The state of an unsettled event in words. Pure."""

from typing import Final

from hookline_cli.output.durations import describe_timestamp, format_duration
from hookline_shared.streams.locate import Location, Stage

_STAGES: Final = {
    Stage.UNREAD: "unread: no processor has read it yet",
    Stage.PENDING: "with a processor: in its handler, or waiting in memory for a worker slot or an earlier event of its key",
}


def describe_state(location: Location, entry: str, now_ms: int) -> str:
    """Return the state of the event with entry id `entry`."""
    wait = location.wait
    if wait is None:
        return _STAGES[location.stage]
    if wait.first_entry != entry:
        return (
            f"waits behind entry {wait.first_entry} of its conversation, which {_reason(wait.condition, wait.until_ms, now_ms)}"
        )
    if not wait.condition and wait.until_ms > now_ms:
        return f"retry scheduled in {format_duration(wait.until_ms - now_ms)}"
    return _reason(wait.condition, wait.until_ms, now_ms)


def _reason(condition: str, until_ms: int, now_ms: int) -> str:
    family, _, name = condition.partition(":")
    match family:
        case "":
            return f"waits for {format_duration(until_ms - now_ms)}" if until_ms > now_ms else "is due now"
        case "breaker":
            return f"waits until the breaker {name} closes, or for its turn as a probe"
        case "pause":
            return f"waits for the end of pause {name}"
        case "kind":
            until = f" until {describe_timestamp(until_ms)}, and is a dead letter then"
            return f"waits for a processor with a handler for {name},{until}"
    return f"waits for {condition}"
