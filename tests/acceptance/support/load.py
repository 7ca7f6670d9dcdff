"""Senders that deliver numbered messages until each is acknowledged, and the count of their outcomes."""

import asyncio
import random
from collections import Counter, defaultdict

from tests.acceptance.support.pair import Pair
from tests.acceptance.support.records import Line
from tests.support.inbound.kinds import message, sid
from tests.support.inbound.webhooks import Twilio
from tests.support.waiting import until, until_answer

_SEED = 7
_TWICE = 0.1
"""How many of the messages are delivered twice, as Twilio's retries would be."""


class Load:
    """`senders` that each deliver `each` messages, one after the other; all of them together at most `rate` per second.

    `acknowledged` are the SIDs of those that were answered with a 2xx.

    The numbers of two loads in one test must begin with another `prefix` each. Each message is `size` bytes larger than usual.
    """

    def __init__(
        self, pair: Pair, senders: int, each: int, rate: float | None = None, prefix: str = "+1415555", size: int = 0
    ) -> None:
        self._padding = {"Padding": "x" * size} if size else {}
        self._pair = pair
        self._senders = [f"{prefix}{number:04d}" for number in range(senders)]
        self._each = each
        self._pause_s = senders / rate if rate else 0.0
        self._random = random.Random(_SEED)
        self._ended = False
        self.acknowledged: list[str] = []

    async def run(self) -> None:
        """Deliver everything, or what there is until `end`."""
        async with asyncio.TaskGroup() as tasks:
            for sender in self._senders:
                tasks.create_task(self._send_all(sender))

    def end(self) -> None:
        """Begin no more deliveries."""
        self._ended = True

    async def reach(self, number: int) -> None:
        """Wait until `number` messages are acknowledged."""
        while len(self.acknowledged) < number:
            await self.progress()

    async def progress(self) -> None:
        """Wait until one more is acknowledged."""
        before = len(self.acknowledged)
        await until(lambda: len(self.acknowledged) > before, "the load goes on")

    async def _send_all(self, sender: str) -> None:
        await asyncio.sleep(self._random.random() * self._pause_s)
        for number in range(self._each):
            if self._ended:
                return
            message_sid = sid("SM")
            webhook = Twilio().webhook(message(From=sender, Body=str(number), MessageSid=message_sid, **self._padding))
            for _ in range(2 if self._random.random() < _TWICE else 1):
                await self._pair.deliver(webhook)
            self.acknowledged.append(message_sid)
            await asyncio.sleep(self._pause_s)


async def assert_nothing_lost_or_doubled(load: Load, pair: Pair) -> None:
    """Do as `assert_nothing_lost`; and whatever was delivered again, by Twilio or a sender, was no second event."""
    await assert_nothing_lost(load, pair)
    assert_each_webhook_has_one(pair.lines(), "id")


async def assert_nothing_lost(load: Load, pair: Pair) -> None:
    """Wait until all is settled, then count: every acknowledged message was handled, in its sender's order."""
    await until_answer(pair.spooled, lambda events: events == 0, "the spool is empty")
    await until(pair.settled, "all is settled")
    handled = pair.lines()
    again = len(handled) - len({line["sid"] for line in handled})
    lost = set(load.acknowledged) - {line["sid"] for line in handled}
    print(f"{len(load.acknowledged)} acknowledged, {len(handled)} handled, {again} of them again, {len(lost)} lost")
    assert not lost, f"{len(lost)} acknowledged messages were never handled"
    assert pair.dead_letters() == []
    assert pair.retry_records() == 0
    assert_order_per_sender(handled)
    assert_each_webhook_has_one(handled, "key")


def assert_each_webhook_has_one(handled: list[Line], name: str) -> None:
    """However often a webhook was handled, `name` was the same: "id" means that it was one event, "key" the idempotency key."""
    found = defaultdict(set)
    for line in handled:
        found[line["sid"]].add(line[name])
    assert Counter(len(own) for own in found.values()).keys() <= {1}


def assert_order_per_sender(handled: list[Line]) -> None:
    """Among the first times that each message was handled, a sender's messages are in the order in which they were sent."""
    seen: set[str] = set()
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for line in handled:
        if line["sid"] not in seen:
            seen.add(line["sid"])
            numbers[line["from"]].append(int(line["body"]))
    for own in numbers.values():
        assert own == sorted(own)
