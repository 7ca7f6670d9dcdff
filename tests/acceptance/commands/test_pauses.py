"""Pauses and retries by hand: services and commands as processes."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.support.pair import Pair, started_pair
from tests.support.inbound.kinds import message, sid
from tests.support.inbound.webhooks import Twilio
from tests.support.processes.command import Command, run
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until, until_answer

_TWILIO = Twilio()
_SENDERS = [f"+1415555{number:04d}" for number in range(100)]
_EACH = 20
_SLOW_RETRIES = {"PROCESSOR_BACKOFF_BASE_S": "3600", "PROCESSOR_BACKOFF_MAX_S": "3600", "PROCESSOR_MAX_ATTEMPTS": "50"}


@pytest.fixture
async def pair(own_redis: RedisServer, services: Services, tmp_path: Path) -> AsyncIterator[Pair]:
    """Yield a pair whose retries come within an hour."""
    inherited = {name: value for name, value in os.environ.items() if name == "PYTHONPATH"}
    async with started_pair(own_redis, services, tmp_path, settings=_SLOW_RETRIES | inherited) as pair:
        yield pair


@pytest.fixture
def command(tmp_path: Path, own_redis: RedisServer) -> Command:
    """Return `hookline` for the Redis of the pair."""
    return Command(tmp_path, own_redis.url)


async def deliver(pair: Pair, sender: str, bodies: list[str]) -> None:
    for body in bodies:
        await pair.deliver(_TWILIO.webhook(message(Body=body, From=sender)))


def handled(pair: Pair) -> dict[str, list[str]]:
    """Return the bodies that were handled, by sender."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in pair.lines():
        found[line["from"]].append(line["body"])
    return found


@pytest.mark.parametrize("words", [("--kind", "message.received"), ("--topic", "messages")], ids=["kind", "topic"])
async def test_thousands_wait_for_the_end_of_a_pause(pair: Pair, command: Command, words: tuple[str, str]) -> None:
    """While events are paused, ingress accepts, and nothing is attempted; then all are handled, once, in order per sender.

    The processor is killed meanwhile, so that another one finds the pause and what waits for its end.
    """
    await pair.processor.kill()
    paused = (await run(command, "pause", *words, "--why", "test", "--json")).json
    await pair.processor.start()
    bodies = [f"note:{number}" for number in range(_EACH)]
    await asyncio.gather(*(deliver(pair, sender, bodies) for sender in _SENDERS))
    await pair.processor.kill()
    await pair.processor.start()
    await asyncio.gather(*(deliver(pair, sender, ["last"]) for sender in _SENDERS))
    assert (pair.refused, pair.lines("begin")) == (0, [])
    await run(command, "resume", paused["id"])
    await until(lambda: len(pair.lines()) >= len(_SENDERS) * (_EACH + 1) and pair.settled(), "all are handled and settled")
    assert handled(pair) == {sender: [*bodies, "last"] for sender in _SENDERS}
    assert pair.dead_letters() == []


async def test_running_processor_follows_a_pause(pair: Pair, command: Command) -> None:
    """It stops attempting soon after the command, and goes on soon after the end, without a restart."""
    paused = (await run(command, "pause", "--kind", "message.received", "--why", "test", "--json")).json
    number = await _deliver_until_one_waits(pair, command)
    begun = len(pair.lines("begin"))
    await run(command, "resume", paused["id"])
    await until(lambda: len(pair.lines()) == number and pair.settled(), "all are handled")
    assert begun < number


async def _deliver_until_one_waits(pair: Pair, command: Command) -> int:
    """Deliver events of new senders until one is paused; return their number."""
    for number, sender in enumerate(_SENDERS, start=1):
        await deliver(pair, sender, ["note"])
        if "pause:" in (await run(command, "retry", "list")).out:
            return number
    raise AssertionError("no event was paused")


async def test_retry_now_and_drop(pair: Pair, command: Command) -> None:
    """What waits for an hour is attempted at once after a fix; a dropped event lets its followers go on."""
    wanted = sid("SM")
    await pair.deliver(_TWILIO.webhook(message(Body="fail", From=_SENDERS[0], MessageSid=wanted)))
    await deliver(pair, _SENDERS[0], ["a", "b"])
    for sender in _SENDERS[1:30]:
        await deliver(pair, sender, ["broken:1", "c", "d"])
    await until_answer(
        lambda: run(command, "retry", "list", "--json"),
        lambda result: sum(one["conversations"] for one in result.json["waiting"]) == 30,
        "all conversations wait",
    )
    assert handled(pair) == {}

    await run(command, "retry", "drop", "--event", wanted, "--why", "cannot be mended", "--yes")
    await until(lambda: handled(pair)[_SENDERS[0]] == ["a", "b"], "its followers are handled")
    (letter,) = pair.dead_letters()
    assert (letter["dead.reason"], letter["dead.attempts"]) == ("dropped", "1")

    pair.record.with_name(pair.record.name + ".open").touch()
    assert (await run(command, "retry", "now", "--topic", "messages", "--json")).json["due"] == 29
    await until(pair.settled, "all are settled")
    assert all(handled(pair)[sender] == ["broken:1", "c", "d"] for sender in _SENDERS[1:30])
