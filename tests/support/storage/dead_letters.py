"""Dead letters as a processor writes them, put directly into Redis."""

from collections.abc import Iterator, Sequence
from itertools import count, islice
from random import Random
from typing import Any, Final, NamedTuple

import msgspec
import redis

from hookline_processor.partition.outcomes import dead_letter_fields
from hookline_processor.verdicts import Dead, Failure, Reason
from hookline_shared.event import SCHEMA, TEXT_FIELDS, Event, text_values
from hookline_shared.partitions import partition_of
from hookline_shared.topics import CALLS, CONVERSATIONS, MESSAGES
from tests.support.processor.events import event
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS

TRACEBACK: Final = "Traceback (most recent call last):\n" + '  File "bot.py", line 7, in answer\n' * 60
_numbers = count(1)


class DeathCase(NamedTuple):
    """One case of letters."""

    kind: str
    topic: str
    reason: Reason
    error: str
    message: str


DEATH_CASES: Final = (
    DeathCase("message.received", MESSAGES, Reason.EXHAUSTED, "TimeoutError", "the shop did not answer +14155550123"),
    DeathCase("call.received", CALLS, Reason.REJECTED, "Reject", "not a customer"),
    DeathCase("conversation.onMessageAdded", CONVERSATIONS, Reason.UNHANDLED, "UnhandledError", "no handler"),
)


class StoredDeadLetter(NamedTuple):
    """A letter that was put into the stream of `partition`, and the event in it."""

    partition: int
    topic: str
    event: Event


def deaths(
    number: int, *, cases: Sequence[DeathCase] = DEATH_CASES, conversations: int = 40
) -> list[tuple[StoredDeadLetter, list[Any]]]:
    """Return `number` letters, of each case in turn and of several conversations, and the fields of each."""
    return list(islice(_generate_deaths(cases, conversations), number))


def write_dead_letters(
    client: "redis.Redis | redis.RedisCluster", number: int, *, shuffled: bool = False, **named: Any
) -> list[StoredDeadLetter]:
    """Put `number` letters into Redis, which `deaths` makes, with the layout; return them in the order of their events."""
    made = deaths(number, **named)
    died = Random(number).sample(made, len(made)) if shuffled else made
    client.hset(keys.layout, mapping={"partitions": str(PARTITIONS), "schema": SCHEMA})
    with client.pipeline(transaction=False) as pipeline:
        for buried, fields in died:
            pipeline.execute_command("XADD", keys.dead(buried.partition), "*", *fields)
        pipeline.execute()
    return [buried for buried, _ in made]


def _generate_deaths(cases: Sequence[DeathCase], conversations: int) -> Iterator[tuple[StoredDeadLetter, list[Any]]]:
    for number in count():
        case = cases[number % len(cases)]
        key = f"+1415555{number % conversations:04}:+18005551212"
        body = f"MessageSid=SM{number:032x}&From=%2B1415555{number % conversations:04}&Body=hello+{number}"
        one = msgspec.structs.replace(event(key=key, body=body.encode()), kind=case.kind)
        entry = f"{one.received_at}-0"
        verdict = Dead(case.reason, Failure(case.error, case.message, TRACEBACK), 8, one.received_at + 1000)
        extra = dead_letter_fields(verdict, case.topic, entry, one.received_at + 2000)
        yield StoredDeadLetter(partition_of(key, PARTITIONS), case.topic, one), [*fields_of(one), *extra]


def fields_of(one: Event) -> list[Any]:
    """Return names and values of the entry of an event."""
    named = zip(TEXT_FIELDS, text_values(one), strict=True)
    return [word for pair in named for word in pair] + ["body", one.body]
