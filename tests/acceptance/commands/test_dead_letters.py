"""A handler breaks, and its events die; it is fixed, and they are replayed: services and command as processes."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.support.pair import Backend, Pair
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio
from tests.support.processes.command import Command, run
from tests.support.waiting import until

_TWILIO = Twilio()
_SENDERS = [f"+1415555010{number}" for number in range(5)]
_EVENTS = 30


@pytest.fixture
def command(tmp_path: Path, backend: Backend) -> Command:
    """Return `hookline` for the Redis of the pair."""
    return Command(tmp_path, backend.url)


async def test_replay_after_the_handler_is_mended(pair: Pair, command: Command) -> None:
    """All that died is handled after a replay, once each and in order per sender; if not fixed, it dies again, and says so."""
    for number in range(_EVENTS):
        sender = _SENDERS[number % len(_SENDERS)]
        await pair.deliver(_TWILIO.webhook(message(Body=f"broken:{number}", From=sender)))
    await until(lambda: len(pair.dead_letters()) == _EVENTS, "all are dead")
    listed = (await run(command, "dead", "list", "--reason", "exhausted", "--json")).json
    assert listed["total"] == _EVENTS
    assert {one["lives"] for one in listed["letters"]} == {0}

    replayed = (await run(command, "dead", "replay", "--all", "--yes", "--json")).json
    assert replayed["replayed"] == _EVENTS
    await until(lambda: len(pair.dead_letters()) == _EVENTS and pair.settled(), "all are dead again")
    again: list[dict[str, Any]] = (await run(command, "dead", "list", "--json")).json["letters"]
    assert {one["event_id"] for one in again} == {one["event_id"] for one in listed["letters"]}
    assert {one["lives"] for one in again} == {1}
    assert pair.lines() == []

    pair.record.with_name(pair.record.name + ".open").touch()
    await run(command, "dead", "replay", "--error", "not mended", "--yes", "--rate", "1000")
    await until(lambda: len(pair.lines()) == _EVENTS and pair.settled(), "all are handled")
    assert pair.dead_letters() == []
    handled: dict[str, list[str]] = defaultdict(list)
    for line in pair.lines():
        handled[line["from"]].append(line["body"])
    assert handled == {
        sender: [f"broken:{number}" for number in range(_EVENTS) if _SENDERS[number % len(_SENDERS)] == sender]
        for sender in _SENDERS
    }
