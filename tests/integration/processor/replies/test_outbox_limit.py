"""The limit of the outbox."""

from hookline_processor.sender.outbox_limit import OutboxLimit
from hookline_processor.sender.settings import SenderSettings
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.topics import MESSAGES, OUTBOX
from tests.support.observability.logbook import Logbook
from tests.support.processor.feed import PARTITION
from tests.support.processor.inbox import Inbox
from tests.support.processor.partition_bench import Bench
from tests.support.servers.fake_twilio import FakeTwilio
from tests.support.storage.stored import PARTITIONS, Stored
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until


async def test_full_outbox_stops_reading(
    bench: Bench, inbox: Inbox, twilio: FakeTwilio, stored: Stored, broker: RedisConnectionManager, logbook: Logbook
) -> None:
    """Messages wait for credentials; above the limit, events wait as well, until some are sent."""
    limit = OutboxLimit(broker, PARTITIONS, 5 * PARTITIONS, lambda: [PARTITION], ManualClock(), logbook.logger)
    bench.outbox_is_full = limit.is_full
    sender = bench.sender
    bench.sender = SenderSettings()
    for nth in range(5):
        await inbox.put("hello", nth=nth)
    partition = await bench.start()
    await until(lambda: len(stored.events(OUTBOX)) == 5, "they are in the outbox")
    await limit.pass_once()
    assert limit.is_full(PARTITION)
    assert logbook.find("outbox full") is not None
    begun = len(bench.begun)
    await inbox.put("one more", nth=7)
    await partition.drain(5)
    partition = await bench.start()
    await until(lambda: partition.check() is None, "it reads")
    assert len(bench.begun) == begun
    await partition.drain(5)

    bench.sender = sender
    partition = await bench.start()
    await until(lambda: len(twilio.messages) == 5, "they are sent")
    assert len(stored.events(MESSAGES)) == 1
    await limit.pass_once()
    assert not limit.is_full(PARTITION)
    await until(lambda: stored.events() == [], "the rest follows")
    await partition.drain(5)
