"""The life of one event as steps in time: accepted, failed, dead, replayed, settled. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hookline_cli.output.redaction import Redaction
from hookline_cli.show.search import Unsettled
from hookline_cli.show.show import Found, read_event
from hookline_cli.show.state import describe_state
from hookline_cli.show.story import outcome_of
from hookline_processor.retry_record import decode_record
from hookline_shared.dead_letter import DeadLetter
from hookline_shared.event import Event, ReplayHistory


class Step(NamedTuple):
    """What happened at a time, Unix ms; `failed` is whether it was no success."""

    at_ms: int
    text: str
    failed: bool = False


def steps(found: Found, redaction: Redaction) -> list[Step]:
    """Return the steps of the events that were found, in order; what is going on now is the last."""
    every: list[Step] = []
    for unsettled in found.hits.unsettled:
        every += _of_unsettled(unsettled, redaction, found.now_ms)
    for letter in found.hits.letters:
        every += _of_letter(letter, redaction)
    every += [Step(record.at, "its dead letter was discarded", failed=True) for _, record in found.hits.discarded]
    for row in found.settled:
        every += _of_row(row)
    return sorted(dict.fromkeys(every), key=lambda step: step.at_ms)


def _of_unsettled(unsettled: Unsettled, redaction: Redaction, now_ms: int) -> Iterator[Step]:
    event, past = read_event(unsettled)
    yield from _accepted(event)
    yield from _past(past)
    if unsettled.location is None:
        return
    record = decode_record(unsettled.location.record)
    if record.first_failed_at:
        yield Step(record.first_failed_at, "the first attempt failed", failed=True)
    tries = f", after {record.failures} failed attempts: {redaction.error(record.error, event)}" if record.failures else ""
    state = describe_state(unsettled.location, unsettled.arrival.place.entry, now_ms)
    yield Step(now_ms, f"now: {state}{tries}", failed=bool(record.failures))


def _of_letter(letter: DeadLetter, redaction: Redaction) -> Iterator[Step]:
    yield from _accepted(letter.event)
    yield from _past(letter.replay_history)
    if letter.first_failed_at:
        yield Step(letter.first_failed_at, "the first attempt failed", failed=True)
    error = redaction.error(letter.error, letter.event)
    yield Step(letter.died_at, f"dead letter after {letter.attempts} attempts: {letter.reason}: {error}", failed=True)


def _of_row(row: Mapping[str, Any]) -> Iterator[Step]:
    yield Step(row["received_at"], f"accepted as {row['kind']}")
    yield Step(row["settled_at"], outcome_of(row), failed=row["outcome"] != "done")


def _accepted(event: Event | None) -> Iterator[Step]:
    if event is not None:
        signed = f", signed with {event.signer}" if event.signer else ""
        yield Step(event.received_at, f"accepted as {event.kind}{signed}")


def _past(past: ReplayHistory) -> Iterator[Step]:
    if past.lives:
        times = "once" if past.lives == 1 else f"{past.lives} times"
        yield Step(past.died_at, f"died for the first time: {past.reason}; it was replayed {times} since", failed=True)
