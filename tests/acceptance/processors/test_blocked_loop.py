"""A handler that blocks the event loop of a running processor."""

from pathlib import Path

from tests.acceptance.support.pair import started_pair
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until

_BOT = """
import pathlib, time
from hookline import Handlers

handlers = Handlers()

@handlers.on("message.received")
async def slow(event, context):
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
"""


async def test_blocking_handler_is_named_while_it_blocks(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """The line is written although the event loop stands still, and the processor goes on afterwards."""
    (tmp_path / "blocking.py").write_text(_BOT)
    settings = {"PROCESSOR_HANDLERS": "blocking:handlers"}
    async with started_pair(own_redis, services, tmp_path, settings=settings) as pair:
        await pair.deliver(Twilio().webhook(message()))
        line = await pair.processor.logged("event loop blocked")
        assert line["handler"] == "blocking.slow"
        assert line["frames"][0].startswith(f"{tmp_path}/blocking.py:")
        (tmp_path / "go").touch()
        await until(pair.settled, "it is settled")
        assert (await pair.processor.metrics())['hookline_handler_blocked_loop_total{handler="blocking.slow"}'] == 1
        assert await pair.processor.stop() == 0
    assert [line["event"] for line in pair.processor.logs].count("event loop blocked") == 1
