"""A Redis that has no memory left."""

from tests.acceptance.support.pair import Pair
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio
from tests.support.waiting import until


async def test_processor_started_without_memory_settles_the_backlog(single_pair: Pair) -> None:
    """A processor that starts while Redis is out of memory settles what is there, which is what frees memory."""
    pair = single_pair
    await pair.processor.stop()
    await pair.deliver(Twilio().webhook(message(Body="waiting")))
    pair.redis.config_set("maxmemory", "1")
    await pair.processor.listen()
    await until(pair.settled, "the backlog is settled")
    assert [line["body"] for line in pair.lines()] == ["waiting"]
    assert (await pair.client.post(Twilio().webhook(message()))).status == 503
    assert "maxmemory" in await pair.processor.probe("readyz", 503)
