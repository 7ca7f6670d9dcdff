"""Replies through a Twilio that loses answers, while processors are killed: `make replies`, which takes some minutes.

HOOKLINE_REPLIES is how many replies there are, HOOKLINE_CONVERSATIONS how many people have a conversation with an agent; over
Sentinel and a cluster a tenth of them.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import msgspec
import pytest

from hookline_shared.event import Event
from hookline_shared.streams.append import Appender
from tests.acceptance.support.lossy_twilio import (
    LossyTwilio,
    ObservedTwilio,
    inbox,
    kill_in_turn,
    number_of,
    processors,
    settle,
    text_of,
    write,
)
from tests.acceptance.support.pair import Backend
from tests.support.processes.services import Services
from tests.support.storage.stored import PARTITIONS, Stored

REPLIES = int(os.environ.get("HOOKLINE_REPLIES", "0"))
CONVERSATIONS = int(os.environ.get("HOOKLINE_CONVERSATIONS", "0"))
TEXTS_EACH = 20
BURSTS, IN_BURST = 10, 3
KILL_EVERY_S = 5.0
MEDIAN_DOUBT_S = 10

pytestmark = pytest.mark.timeout(0)


class Outcome(NamedTuple):
    """What people got: how many texts never, how many more than once, how many conversations in another order; dead letters."""

    lost: int
    twice: int
    out_of_order: int
    dead: Mapping[str, int]


@dataclass
class Scale:
    """A Redis, and how many replies and conversations there are over it."""

    backend: Backend
    replies: int
    conversations: int


@pytest.fixture(params=["own_redis", "sentinel_set", "cluster_set"], ids=["standalone", "sentinel", "cluster"])
def scale(request: pytest.FixtureRequest) -> Scale:
    """Return a Redis that is empty, once of each topology."""
    part = 1 if request.param == "own_redis" else 10
    return Scale(request.getfixturevalue(request.param), REPLIES // part, CONVERSATIONS // part)


@pytest.mark.skipif(not REPLIES, reason="make replies")
async def test_replies_are_sent_once(scale: Scale, services: Services) -> None:
    """Each person gets the answer to each text once, in order, though Twilio loses 5 % of its answers."""
    with ObservedTwilio() as fake, scale.backend.client as client:
        twilio = LossyTwilio(fake)
        outcome = await _answer_all(scale.backend, services, twilio, Stored(client), scale.replies, kills=False)
        assert outcome == Outcome(lost=0, twice=0, out_of_order=0, dead={})
        assert median(twilio.seconds_in_doubt()) < MEDIAN_DOUBT_S


@pytest.mark.skipif(not REPLIES, reason="make replies")
async def test_replies_are_sent_once_through_kills(scale: Scale, services: Services) -> None:
    """And though a processor is killed every five seconds. So many kills make some events poison, which are dead letters."""
    with ObservedTwilio() as fake, scale.backend.client as client:
        stored = Stored(client)
        outcome = await _answer_all(scale.backend, services, LossyTwilio(fake), stored, scale.replies // 4, kills=True)
        assert (outcome.twice, outcome.out_of_order) == (0, 0)
        assert outcome.lost == sum(outcome.dead.values())
        assert set(outcome.dead) <= {"messages poison"}


@pytest.mark.skipif(not CONVERSATIONS, reason="make replies")
async def test_conversations_with_an_agent(scale: Scale, services: Services) -> None:
    """No text is lost, none is answered twice, and what is remembered fits, while processors are killed."""
    with ObservedTwilio() as fake, scale.backend.client as client:
        twilio, stored, began = LossyTwilio(fake), Stored(client), time.monotonic()
        running = processors(scale.backend, services, fake, "agent")
        await asyncio.gather(*(one.start() for one in running))
        killer = asyncio.create_task(kill_in_turn(running, KILL_EVERY_S))
        async with inbox(scale.backend) as appender:
            await _converse(appender, twilio, scale.conversations)
        killer.cancel()
        await asyncio.gather(killer, return_exceptions=True)
        await settle(stored, twilio)
        twilio.report("conversations", began)
        _check_conversations(twilio, scale.conversations)


def _dead_letters(stored: Stored) -> dict[str, int]:
    """Return how many dead letters there are, by topic and reason."""
    letters = (fields for partition in range(PARTITIONS) for _, fields in stored.dead_letters(partition))
    named = (dict(zip(fields[::2], fields[1::2], strict=True)) for fields in letters)
    return Counter(f"{one[b'dead.topic'].decode()} {one[b'dead.reason'].decode()}" for one in named)


async def _answer_all(
    backend: Backend, services: Services, twilio: LossyTwilio, stored: Stored, number: int, *, kills: bool
) -> Outcome:
    """Let people write `number` texts, and wait until nothing is left. Return what they got."""
    people, began = number // TEXTS_EACH, time.monotonic()
    texts = [f"text {number}" for number in range(TEXTS_EACH)]
    async with inbox(backend) as appender:
        await write(appender, [text_of(text, person) for text in texts for person in range(people)])
    running = processors(backend, services, twilio.twilio, "echo")
    await asyncio.gather(*(one.start() for one in running))
    if kills:
        killer = asyncio.create_task(kill_in_turn(running, KILL_EVERY_S))
        await _until_most_are_sent(twilio.twilio, people * TEXTS_EACH)
        killer.cancel()
        await asyncio.gather(killer, return_exceptions=True)
    await settle(stored, twilio)
    twilio.report("replies", began)
    outcome = _outcome(twilio.got(), texts, people, _dead_letters(stored))
    print(outcome)
    return outcome


def _outcome(got: Mapping[str, Sequence[str]], texts: Sequence[str], people: int, dead: Mapping[str, int]) -> Outcome:
    replies = [got.get(number_of(person), []) for person in range(people)]
    return Outcome(
        lost=sum(len(set(texts) - set(found)) for found in replies),
        twice=sum(len(found) - len(set(found)) for found in replies),
        out_of_order=sum(list(dict.fromkeys(found)) != sorted(set(found), key=texts.index) for found in replies),
        dead=dict(dead),
    )


async def _until_most_are_sent(fake: ObservedTwilio, number: int) -> None:
    while len(fake.messages) < 0.9 * number:
        await asyncio.sleep(0.5)


async def _converse(appender: Appender, twilio: LossyTwilio, people: int) -> None:
    """Let everybody write bursts, each when all texts of the one before are answered."""
    answered = dict.fromkeys(range(people), 0)
    written = dict.fromkeys(range(people), 0)
    while min(answered.values()) < BURSTS * IN_BURST:
        ready = [one for one in answered if answered[one] == written[one] < BURSTS * IN_BURST]
        texts = {one: range(written[one], written[one] + IN_BURST) for one in ready}
        events = [text_of(f"t{number}", one) for one, numbers in texts.items() for number in numbers]
        now_ms = round(time.time() * 1000)
        await write(appender, [_received(event, now_ms) for event in events])
        written |= {one: written[one] + IN_BURST for one in ready}
        await asyncio.sleep(0.5)
        answered |= {one: _answered(found) for one, found in _by_person(twilio, people).items()}


def _received(event: Event, now_ms: int) -> Event:
    return msgspec.structs.replace(event, received_at=now_ms)


def _by_person(twilio: LossyTwilio, people: int) -> dict[int, list[str]]:
    got = twilio.got()
    return {person: got.get(number_of(person), []) for person in range(people)}


def _answered(replies: list[str]) -> int:
    """Return how many texts are answered."""
    return sum(len(reply.split()) - 1 for reply in replies)


def _check_conversations(twilio: LossyTwilio, people: int) -> None:
    runs, expected = 0, [f"t{number}" for number in range(BURSTS * IN_BURST)]
    wrong = {}
    for person, replies in _by_person(twilio, people).items():
        runs += len(replies)
        said = [text for reply in replies for text in reply.split()[1:]]
        counted = [int(reply.partition(":")[0]) for reply in replies]
        sums = [sum(len(reply.split()) - 1 for reply in replies[: number + 1]) for number in range(len(replies))]
        if said != expected or counted != sums:
            wrong[person] = replies
    print(f"runs per burst: {runs / (people * BURSTS):.3f}; conversations that are wrong: {len(wrong)}")
    assert wrong == {}
