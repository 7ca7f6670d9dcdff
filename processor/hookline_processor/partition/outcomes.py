"""What the settler writes about events: their outcomes, and the settlements that a batch of them makes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.lanes import Lane
from hookline_processor.replies.outputs import NOTHING
from hookline_processor.retry_record import Record, encode_record
from hookline_processor.verdicts import DONE, Dead, Done, Retry
from hookline_shared.live import LIVE_MARK, AnswerRecord, LiveAnswer, caller_of, digest_of, encode_answer, live_of
from hookline_shared.streams.settlements import DeadLetterRecord, LeavingEntry, Outputs, Settlements, WaitingLane, record_name


@dataclass(frozen=True, slots=True, eq=False)
class Wait:
    """`lane` waits until `time_ms`, in Unix ms, or for `condition`; with its first events `entry_ids`, and nothing in memory.

    `verdict` is that on the attempt at the first event, None if it was not attempted.
    """

    lane: Lane
    entry_ids: tuple[str, ...]
    time_ms: int
    condition: str
    verdict: Retry | None


Outcome = Done | Dead | Wait | Record
"""What is written about an event: that it is done, dead or waits, or only its retry record."""


def combine(batch: Iterable[tuple[InFlightEvent, Outcome]], now_ms: int) -> Settlements:
    """Return the settlements of `batch`, which contains each event once. `now_ms` is Unix time in milliseconds."""
    settlements = Settlements()
    for in_flight, outcome in batch:
        match outcome:
            case Done():
                if outcome is not DONE and outcome.outputs is not NOTHING:
                    _combine_outputs(settlements, in_flight, outcome)
                settlements.done.setdefault(in_flight.topic, []).append(in_flight.entry_id)
                if in_flight.record.failures:
                    settlements.attempts.setdefault(in_flight.topic, {})[in_flight.entry_id] = in_flight.record.failures + 1
            case Dead():
                extra = dead_letter_fields(outcome, in_flight.topic, in_flight.entry_id, now_ms)
                settlements.dead.append(DeadLetterRecord(in_flight.topic, in_flight.entry_id, extra))
            case Wait(lane=lane):
                ids = list(outcome.entry_ids)
                settlements.waiting.append(WaitingLane(lane.topic, lane.id, outcome.condition, outcome.time_ms, ids))
        if in_flight.lane_id or in_flight.burst or LIVE_MARK in in_flight.event.dedupe_key:
            _combine_leaving(settlements, in_flight, outcome, now_ms)
        _combine_record(settlements, in_flight, outcome)
    return settlements


def _combine_leaving(settlements: Settlements, in_flight: InFlightEvent, outcome: Outcome, now_ms: int) -> None:
    """Take an event out of the waiting index, settle what belongs to its burst, and answer it if it is live."""
    if isinstance(outcome, Wait | Record):
        return
    if in_flight.lane_id:
        settlements.leaving.append(LeavingEntry(in_flight.topic, in_flight.lane_id, in_flight.entry_id))
    if LIVE_MARK in in_flight.event.dedupe_key:
        _combine_answer(settlements, in_flight, outcome)
    for member in in_flight.burst:
        _combine_member(settlements, in_flight, member, outcome, now_ms)


def _combine_member(
    settlements: Settlements, first: InFlightEvent, member: InFlightEvent, outcome: Done | Dead, now_ms: int
) -> None:
    """Settle `member` of the burst of `first`, whose outputs are those of the whole."""
    topic, entry_id = member.topic, member.entry_id
    if isinstance(outcome, Dead):
        extra = dead_letter_fields(outcome, topic, entry_id, now_ms)
        settlements.dead.append(DeadLetterRecord(topic, entry_id, extra))
    else:
        settlements.done[topic].append(entry_id)
        if first.record.failures:
            settlements.attempts[topic][entry_id] = first.record.failures + 1
    _combine_leaving(settlements, member, outcome, now_ms)
    _combine_record(settlements, member, outcome)


def _combine_outputs(settlements: Settlements, in_flight: InFlightEvent, done: Done) -> None:
    if done.outputs.entries or done.outputs.memory:
        with_it = [member.entry_id for member in in_flight.burst]
        outputs = Outputs(in_flight.topic, in_flight.entry_id, done.outputs.entries, done.outputs.memory, with_it)
        settlements.outputs.append(outputs)
    if done.outputs.sid:
        settlements.sids.setdefault(in_flight.topic, {})[in_flight.entry_id] = done.outputs.sid


def _combine_answer(settlements: Settlements, in_flight: InFlightEvent, outcome: Done | Dead) -> None:
    """Answer a live event, whatever its outcome is: Twilio waits."""
    event = in_flight.event
    live = live_of(event.dedupe_key)
    if live is None:
        return
    answer = outcome.outputs.answer if isinstance(outcome, Done) else LiveAnswer("failed")
    call, account = caller_of(event)
    text = encode_answer(msgspec.structs.replace(answer or LiveAnswer(), call=call, account=account, event=event.id))
    settlements.answers.append(
        AnswerRecord(in_flight.topic, in_flight.entry_id, digest_of(event.dedupe_key), text, live.life_ms)
    )


def _combine_record(settlements: Settlements, in_flight: InFlightEvent, outcome: Outcome) -> None:
    """Write, remove, or leave alone the retry record of an event."""
    record = _record_after(in_flight, outcome)
    name = record_name(in_flight.topic, in_flight.entry_id)
    if record is not None and record.worth_storing:
        settlements.failed[name] = encode_record(record)
    elif in_flight.recorded:
        settlements.recorded.append(name)


def _record_after(in_flight: InFlightEvent, outcome: Outcome) -> Record | None:
    match outcome:
        case Record():
            return outcome
        case Wait(verdict=verdict):
            return in_flight.record if verdict is None else verdict.record
    return None


def dead_letter_fields(verdict: Dead, topic: str, entry_id: str, now_ms: int) -> list[str]:
    """Return the names and values that a dead letter has after the fields of the event.

    `hookline_shared/dead_letter.py` draws the wire format beside its decoder. `now_ms` is Unix time in milliseconds.
    """
    fields = {
        "dead.reason": verdict.reason.value,
        "dead.error": verdict.failure.type,
        "dead.message": verdict.failure.message,
        "dead.traceback": verdict.failure.traceback or verdict.failure.answer,
        "dead.attempts": str(verdict.attempts),
        "dead.first_at": str(verdict.first_failed_at),
        "dead.at": str(now_ms),
        "dead.topic": topic,
        "dead.entry": entry_id,
    }
    return [word for field in fields.items() for word in field]
