"""Both services killed again and again under load."""

import asyncio
import random
from collections import Counter, defaultdict

from tests.acceptance.conftest import Line, Pair
from tests.support.service_process import ServiceProcess
from tests.support.waiting import until
from tests.support.webhooks import Twilio, message, sid

WEBHOOKS = 20_000
SENDERS = 100
KILLS = 3
SEED = 7


class Load:
    """Senders that each deliver their messages one after the other, a tenth of them twice, until each is acknowledged."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._random = random.Random(SEED)
        self.acknowledged: list[str] = []

    async def run(self) -> None:
        """Deliver everything."""
        async with asyncio.TaskGroup() as senders:
            for number in range(SENDERS):
                senders.create_task(self._send_all(f"+1415555{number:04d}"))

    async def progress(self) -> None:
        """Wait until one more is acknowledged."""
        before = len(self.acknowledged)
        await until(lambda: len(self.acknowledged) > before, "the load goes on")

    async def _send_all(self, sender: str) -> None:
        for number in range(WEBHOOKS // SENDERS):
            message_sid = sid("SM")
            webhook = Twilio().webhook(message(From=sender, Body=str(number), MessageSid=message_sid))
            for _ in range(2 if self._random.random() < 0.1 else 1):
                await self._pair.deliver(webhook)
            self.acknowledged.append(message_sid)


async def kill_and_restart(load: Load, service: ServiceProcess, offset: float) -> None:
    """Kill `service` at even distances of the load's progress, restarting it each time."""
    for number in range(KILLS):
        due = int(WEBHOOKS * (number + offset) / KILLS)
        while len(load.acknowledged) < due:
            await load.progress()
        await service.kill()
        await service.start()


async def test_nothing_is_lost_doubled_or_out_of_order(pair: Pair) -> None:
    """Every acknowledged webhook is handled, duplicates are one event, senders keep their order, and nothing is left over."""
    load = Load(pair)
    await asyncio.gather(
        load.run(), kill_and_restart(load, pair.ingress, offset=0.3), kill_and_restart(load, pair.processor, offset=0.6)
    )
    await until(pair.settled, "all is settled")
    handled = pair.lines()
    assert len(load.acknowledged) == WEBHOOKS
    assert set(load.acknowledged) <= {line["sid"] for line in handled}, "an acknowledged webhook was never handled"
    assert pair.dead_letters() == []
    assert pair.retry_records() == 0
    assert_each_webhook_is_one_event(handled)
    assert_order_per_sender(handled)
    again = len(handled) - len({line["id"] for line in handled})
    print(f"{WEBHOOKS} acknowledged, {len(handled)} handled, {again} of them again after a kill")


def assert_each_webhook_is_one_event(handled: list[Line]) -> None:
    """No webhook got past the deduplication twice."""
    ids = defaultdict(set)
    for line in handled:
        ids[line["sid"]].add(line["id"])
    assert Counter(len(own) for own in ids.values()).keys() == {1}


def assert_order_per_sender(handled: list[Line]) -> None:
    """Among the first times that each message was handled, a sender's messages are in the order in which they were sent."""
    seen: set[str] = set()
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for line in handled:
        if line["sid"] not in seen:
            seen.add(line["sid"])
            numbers[line["from"]].append(int(line["body"]))
    assert len(numbers) == SENDERS
    for own in numbers.values():
        assert own == sorted(own)
