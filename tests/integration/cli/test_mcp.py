"""`hookline mcp`, as an assistant uses it, through the client of the protocol's own package."""

from pathlib import Path
from typing import Any, Final

import pytest
import redis
from mcp import Client

from hookline_cli.audit import AuditLog
from hookline_cli.mcp.server import make_server
from hookline_cli.mcp.tools import Tools
from hookline_cli.output.redaction import Redaction
from hookline_cli.status.collector import CollectorSettings
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from tests.support.console.planted import NUMBER, SECRETS, SID, TEXT, plant_dead_letters, plant_ledger, plant_unsettled
from tests.support.storage.stored import PARTITIONS, Stored

READING: Final = {"status", "dead_letters", "waiting", "outbox", "show", "search_ledger", "explain"}
ACTING: Final = {"replay_dead_letters", "retry_now"}


class Assistant:
    """Calls tools."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, name: str, **arguments: Any) -> Any:
        """Return the result of a tool that must not fail."""
        found = await self.client.call_tool(name, arguments)
        assert not found.is_error, found
        return found.structured_content

    async def refusal(self, name: str, **arguments: Any) -> str:
        """Return what a tool says that must fail."""
        found = await self.client.call_tool(name, arguments)
        assert found.is_error, found
        return str(found.content)


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    return plant_ledger(tmp_path / "ledger.db")


@pytest.fixture
async def tools(
    ledger_url: str,
    redis_url: str,
    redis_client: "redis.Redis",
    broker: RedisConnectionManager,
    consumer: Consumer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Tools:
    """Return the tools in front of personal data in every place."""
    monkeypatch.setenv("HOOKLINE_LEDGER_URL", ledger_url)
    plant_dead_letters(redis_client, TEXT)
    await plant_unsettled(broker, consumer, redis_client)
    settings = CollectorSettings.load({"REDIS_URL": redis_url})
    return Tools(settings, settings, [], tmp_path, Redaction(reveal=False), "mcp:ada@here")


async def test_tools_read_and_mask(tools: Tools) -> None:
    """Every tool answers, none changes anything by what it says of itself, and nobody's number or text is in an answer."""
    async with Client(make_server(tools, actions=False)) as client:
        listed = (await client.list_tools()).tools
        assert {tool.name for tool in listed} == READING
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in listed)
        assistant = Assistant(client)
        answers = [
            await assistant.call("status"),
            await assistant.call("dead_letters"),
            await assistant.call("waiting"),
            await assistant.call("outbox"),
            await assistant.call("show", wanted=SID),
            await assistant.call("search_ledger", number=NUMBER),
            await assistant.call("explain", code=30003),
        ]
        assert answers[1]["total"] == 1
        assert len(answers[5]["events"]) == 4
        assert {secret for secret in SECRETS if secret in str(answers)} == set()


async def test_mistakes_are_told(tools: Tools) -> None:
    """What an assistant gets wrong is answered with what is right."""
    async with Client(make_server(tools, actions=True)) as client:
        assistant = Assistant(client)
        assert "Did you mean message.received?" in await assistant.refusal("dead_letters", kind="message.recieved")
        assert "neither an event id" in await assistant.refusal("show", wanted="the last one")
        assert "neither an age" in await assistant.refusal("search_ledger", since="yesterday")
        assert "A reason is required" in await assistant.refusal(
            "replay_dead_letters", why=" ", reason="exhausted", confirm=True
        )
        assert "Choose the dead letters" in await assistant.refusal("replay_dead_letters", why="fixed", confirm=True)
        assert "Choose the events" in await assistant.refusal("retry_now", why="fixed")


async def test_actions_need_the_flag_and_are_recorded(tools: Tools, stored: Stored, broker: RedisConnectionManager) -> None:
    """A dry run changes nothing; what is done afterwards has who and why in the audit log."""
    async with Client(make_server(tools, actions=True)) as client:
        assistant = Assistant(client)
        assert {tool.name for tool in (await client.list_tools()).tools} == READING | ACTING
        planned = await assistant.call("replay_dead_letters", why="fixed", reason="exhausted")
        assert planned["would_replay"] == 1
        assert dead(stored) == 1
        done = await assistant.call("replay_dead_letters", why="fixed", reason="exhausted", confirm=True)
        assert (done["replayed"], dead(stored)) == (1, 0)
        assert (await assistant.call("retry_now", why="hurry", topic="messages"))["due"] == 1
    told = [(one.deed.who, one.deed.why, one.deed.outcome) for one in await AuditLog(broker).newest(4)]
    assert told == [
        ("mcp:ada@here", "hurry", "1 due now."),
        ("mcp:ada@here", "hurry", ""),
        ("mcp:ada@here", "fixed", "1 replayed."),
        ("mcp:ada@here", "fixed", ""),
    ]


def dead(stored: Stored) -> int:
    return sum(len(stored.dead_letters(partition)) for partition in range(PARTITIONS))
