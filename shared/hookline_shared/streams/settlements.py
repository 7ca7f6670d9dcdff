"""What a processor settles at once: the entries of a batch, and what becomes of each. Pure.

`scripts/settle.lua` carries it out, see `consume.py`.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from hookline_shared.live import AnswerRecord
from hookline_shared.streams.memory import MemoryWrite
from hookline_shared.streams.outbox import OutboxEntry


class DeadLetterRecord(NamedTuple):
    """An event to be moved to the dead letters; `letter` has the additional names and values."""

    topic: str
    entry_id: str
    letter: Sequence[str]


class LeavingEntry(NamedTuple):
    """A done or dead entry that is in the waiting index."""

    topic: str
    lane: str
    entry_id: str


class WaitingLane(NamedTuple):
    """A lane that waits until `time_ms`, Unix time in ms, or until `condition` is over, if it names one.

    The first of `entry_ids` waits, and the others behind it. Each may be in the waiting index already.
    """

    topic: str
    lane: str
    condition: str
    time_ms: int
    entry_ids: Sequence[str]


class Outputs(NamedTuple):
    """What an event that is done sends, and what it remembers, if it does; `with_it` are the entries that are done with it."""

    topic: str
    entry_id: str
    messages: Sequence[OutboxEntry]
    memory: MemoryWrite | None = None
    with_it: Sequence[str] = ()


class SettleResult(NamedTuple):
    """What `Consumer.settle` did: the number of dead letters written, and the entries, as topic and id, of waiting lanes whose
    bodies are gone, so that nothing is left of them.

    Nothing was done for the `stale` ones: another event has changed the memory that their attempts have read.
    """

    dead_letters: int
    gone: Sequence[tuple[str, str]]
    stale: Collection[tuple[str, str]] = ()


class Settlements(msgspec.Struct):
    """A batch of `Consumer.settle`, for one partition."""

    done: dict[str, list[str]] = {}
    """topic -> entry ids"""
    recorded: list[str] = []
    """names of retry records to be removed, as `record_name` returns them"""
    failed: dict[str, str] = {}
    """name of a retry record -> the record"""
    dead: list[DeadLetterRecord] = []
    attempts: dict[str, dict[str, int]] = {}
    """topic -> entry id -> number of attempts, for events that are done after more than one"""
    sids: dict[str, dict[str, str]] = {}
    """topic -> entry id -> what Twilio calls the message that was sent"""
    leaving: list[LeavingEntry] = []
    waiting: list[WaitingLane] = []
    outputs: list[Outputs] = []
    answers: list[AnswerRecord] = []


def record_name(topic: str, entry_id: str) -> str:
    """Return the name of the retry record of an entry."""
    return f"{topic}/{entry_id}"
