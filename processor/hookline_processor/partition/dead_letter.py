"""What a dead letter says beside the event. `hookline_shared/dead_letter.py` draws the wire format. Pure."""

from hookline_processor.verdicts import Dead


def letter(verdict: Dead, topic: str, entry_id: str, now_ms: int) -> list[str]:
    """Return the names and values to append to the fields of the event that `verdict` is about."""
    fields = {
        "dead.reason": verdict.reason.value,
        "dead.error": verdict.failure.type,
        "dead.message": verdict.failure.message,
        "dead.traceback": verdict.failure.traceback,
        "dead.attempts": str(verdict.attempts),
        "dead.first_at": str(verdict.first_failed_at),
        "dead.at": str(now_ms),
        "dead.topic": topic,
        "dead.entry": entry_id,
    }
    return [word for field in fields.items() for word in field]
