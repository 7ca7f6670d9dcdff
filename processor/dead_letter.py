"""The wire format of a dead letter: the event's own fields, as they were in its stream, followed by these. Pure.

dead.reason      rejected, exhausted, timed_out, unhandled, undecodable or poison
dead.error       type of the error
dead.message     its message
dead.traceback   the end of its traceback, or empty
dead.attempts    failed attempts, the last one included
dead.first_at    Unix time in milliseconds of the first failure
dead.at          Unix time in milliseconds of the last failure
dead.topic       topic it came from
dead.entry       its entry id there
"""

from processor.verdict import Dead


def letter(verdict: Dead, topic: str, entry_id: str, now_ms: int) -> list[str]:
    """Give the names and values to append to the fields of the event that `verdict` is about."""
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
