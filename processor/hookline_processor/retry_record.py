"""The retry record of a failed event, which survives the process. Pure.

The record counts failures, and has the time of the next attempt. It also counts attempts that began and never ended
because the process died. An event that was attempted in several crashes may be their cause: it is poison. Recording the start
of every attempt would double the writes, so only attempts of recovered events are recorded: events that were pending when they
were read, after a possible first crash. An event with a recorded attempt that never ended is a suspect. Suspects are attempted
one at a time, so that an event that was in flight by chance is not blamed for the next crash.

A stop is not a crash: a processor that stops in order withdraws the attempts that do not end in time, and writes into
their records that they were cut. An event may also be what stops the process, with a signal from its handler or a child
process of it. Who sent a signal is not known, and a deploy looks the same, so a cut attempt is forgiven: but an event whose
attempts were cut several times in a row, with none that ended between them, becomes a suspect, and in the end poison.
"""

from typing import Final, NamedTuple

import msgspec

_POISON_AFTER: Final = 2
"""Recorded attempts that never ended, after which an event is poison. The first crash is not recorded, so that makes three."""
_SUSPECT_AFTER_STOPS: Final = 4
"""Attempts in a row that stops cut, after which an event is attempted alone, the last time."""
_POISON_AFTER_STOPS: Final = 5
"""Attempts in a row that stops cut, after which an event is poison. So many deploys in a row cut an innocent one only if its
handler takes longer than PROCESSOR_SHUTDOWN_S each time, and would never end."""
_POISON_MESSAGE_AFTER: Final = 20


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The retry record of an event. All times are Unix time in milliseconds, 0 for never.

    `begun` counts attempts of a recovered event that began and did not end, `cut` those that a stop or handover cut, both since
    the last attempt that ended. `interrupted` is whether any attempt was cut, or may have been. `burst` is how many events
    were attempted together, and will be again; 0 if that is not known. The record is stored as JSON in
    `<prefix>:{p}:retries`, so that operators can read it; what has its default value is left out.
    """

    failures: int = 0
    next_at: int = 0
    first_failed_at: int = 0
    error: str = ""
    begun: int = 0
    cut: int = 0
    interrupted: bool = False
    burst: int = 0

    @property
    def suspect(self) -> bool:
        """Whether a recorded attempt never ended, or stops cut several in a row."""
        return self.begun > 0 or self.cut >= _SUSPECT_AFTER_STOPS

    @property
    def poison(self) -> bool:
        """Whether the event was in flight in so many crashes or stops that it must not be attempted again."""
        return self.begun >= _POISON_AFTER or self.cut >= _POISON_AFTER_STOPS

    @property
    def poison_message(self) -> bool:
        """Whether a message was in flight in so many crashes or stops that it is not attempted again. It cannot be their cause:
        what sends it is no handler of the user's. But nothing is attempted for ever."""
        return self.begun + self.cut >= _POISON_MESSAGE_AFTER

    def begin(self) -> "Record":
        """Return the record for the time of an attempt at a recovered event, of which an earlier run may have been cut."""
        return msgspec.structs.replace(self, begun=self.begun + 1, interrupted=True)

    def end(self) -> "Record":
        """Return the record after an attempt at a recovered event ended, before its verdict is applied."""
        return msgspec.structs.replace(self, begun=0, cut=0)

    def cut_short(self) -> "Record":
        """Return the record after an attempt was withdrawn, given the record from before it began."""
        return msgspec.structs.replace(self, cut=self.cut + 1, interrupted=True)

    def interrupt(self) -> "Record":
        """Return the record after an attempt was withdrawn that may go on in this process."""
        return msgspec.structs.replace(self, interrupted=True)

    def due_now(self) -> "Record":
        """Return the record without the time of the next attempt."""
        return msgspec.structs.replace(self, next_at=0) if self.next_at else self

    @property
    def worth_storing(self) -> bool:
        """Whether it says more than the time of the next attempt, which the waiting index has."""
        return bool(self.failures or self.begun or self.cut or self.interrupted or self.burst)

    def postponed(self, next_at: int) -> "Record":
        """Return the record after an attempt ended, with the next one at `next_at`."""
        return msgspec.structs.replace(self, next_at=next_at, begun=0, cut=0)


NEVER_FAILED: Final = Record()


class Recovered(NamedTuple):
    """The record of an event that was pending when it was read, and whether Redis has it `stored`."""

    record: Record
    stored: bool


def encode_record(record: Record) -> str:
    """Return the JSON of `record`."""
    return msgspec.json.encode(record).decode()


def recover(data: bytes | None) -> Recovered:
    """Return the record of a pending event; `data` is what Redis has under its name, None if nothing."""
    return Recovered(decode_record(data), stored=data is not None)


def decode_record(data: bytes | str | None) -> Record:
    """Return the stored record. None and unreadable data count as never failed, so the event is attempted again."""
    try:
        return msgspec.json.decode(data, type=Record) if data is not None else NEVER_FAILED
    except msgspec.DecodeError:
        return NEVER_FAILED
