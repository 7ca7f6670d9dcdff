"""`hookline alert test`, against a receiver."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hookline_cli.alert.send_test import AlertTestError
from hookline_cli.main import app
from tests.support.observability.alert_channel import PLANTED, AlertChannel

_KEY = "planted-routing-key"


@pytest.fixture
async def channel() -> AsyncIterator[AlertChannel]:
    async with AlertChannel().opened() as channel:
        yield channel


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ALERT_URL", "ALERT_FORMAT", "ALERT_ROUTING_KEY", "RUNBOOK_URL"):
        monkeypatch.delenv(name, raising=False)


async def _run(*words: str, **variables: str) -> Result:
    return await asyncio.to_thread(CliRunner(env=variables).invoke, app, ["alert", "test", *words])


async def test_receiver_gets_both(channel: AlertChannel) -> None:
    """An alert and its resolution arrive; what is shown has the host and no secret, and that no link will open."""
    ended = await _run(ALERT_URL=channel.url)
    assert ended.exit_code == 0, ended.output
    assert [alert["state"] for alert in channel.alerts] == ["firing", "resolved"]
    assert "127.0.0.1 accepted a test alert and its resolution, in the format slack." in ended.output
    assert "RUNBOOK_URL is not set" in ended.output
    assert PLANTED not in ended.output


async def test_pagerduty_and_its_link(channel: AlertChannel) -> None:
    """The level is the severity, the key goes along, and the link is that of the runbook."""
    ended = await _run(
        "--level",
        "critical",
        ALERT_URL=channel.url,
        ALERT_FORMAT="pagerduty",
        ALERT_ROUTING_KEY=_KEY,
        RUNBOOK_URL="https://wiki.example.com/runbook",
    )
    assert ended.exit_code == 0, ended.output
    first, second = channel.bodies
    assert (first["routing_key"], first["payload"]["severity"], first["event_action"]) == (_KEY, "critical", "trigger")
    assert first["links"][0]["href"] == "https://wiki.example.com/runbook#troubleshooting-by-symptom"
    assert (second["event_action"], second["dedup_key"]) == ("resolve", first["dedup_key"])
    assert _KEY not in ended.output


async def test_receiver_that_refuses(channel: AlertChannel) -> None:
    """The exit code is 1, with the status and what to check, without the URL."""
    channel.will(404)
    error = (await _run(ALERT_URL=channel.url)).exception
    assert isinstance(error, AlertTestError)
    assert "the response was 404" in str(error)
    assert PLANTED not in str(error)
    unset = (await _run()).exception
    assert "ALERT_URL is not set here" in str(unset)
