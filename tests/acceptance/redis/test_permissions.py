"""A Redis user who may do what docs/redis.md says, and nothing else."""

from pathlib import Path

from tests.acceptance.support.pair import started_pair
from tests.support.deployment.permissions import documented_permissions
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until


async def test_documented_permissions_are_enough(own_redis: RedisServer, services: Services, tmp_path: Path) -> None:
    """Events are handled, tried again, given up, and handed from one processor to another; nothing is refused on the way."""
    with own_redis.client as client:
        client.execute_command("ACL", "SETUSER", "hookline", "on", ">s3cr3t", *documented_permissions())
    url = own_redis.url.replace("redis://", "redis://hookline:s3cr3t@")
    async with started_pair(own_redis, services, tmp_path, url=url) as pair:
        for number, body in enumerate(("hello", "fail-twice", "fail", "slow")):
            await pair.deliver(Twilio().webhook(message(Body=body, From=f"+1415555{number:04d}")))
        await until(lambda: len(pair.lines("begin")) >= 4, "all have begun")
        await pair.processor.kill()
        await pair.processor.start()
        await until(pair.settled, "all is settled")
        assert sorted({line["body"] for line in pair.lines()}) == ["fail-twice", "hello", "slow"]
        assert [letter["dead.reason"] for letter in pair.dead_letters()] == ["exhausted"]
        assert pair.retry_records() == 0
        for service in (pair.ingress, pair.processor):
            assert "NOPERM" not in service.errors
            assert "permission" not in service.errors
