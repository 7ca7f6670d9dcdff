"""`hookline forward test` and what doctor says about forwards, against an app with Twilio's validator."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hookline_cli.doctor.checks.forwards import check_forwards
from hookline_cli.doctor.finding import Level
from hookline_cli.doctor.subject import Subject
from hookline_cli.main import app as command_line
from tests.support.servers.ports import free_port
from tests.support.servers.sample_app import TOKEN, SampleApp, answering, sample_app


@pytest.fixture(autouse=True)
async def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[SampleApp]:
    """Yield an app to which everything is forwarded."""
    async with sample_app() as app:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(os, "environ", os.environ.copy())
        monkeypatch.setenv("FORWARD_URL", app.url)
        monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
        monkeypatch.setenv("PUBLIC_URL", "https://hooks.example.com")
        yield app


async def call(*words: str) -> tuple[int, str]:
    """Run the command; return its exit code and output."""
    found = await asyncio.to_thread(CliRunner().invoke, command_line, ["forward", "test", *words])
    return found.exit_code, found.output


async def findings(*, send: bool = False) -> list[tuple[Level, str]]:
    return [(one.level, one.found) for one in await check_forwards(Subject.now(Path("var"), online=False, send=send))]


async def test_request_answer_and_replies_are_shown(app: SampleApp) -> None:
    """With the signature that the app has accepted."""
    code, output = await call("--body", "hi")
    assert code == 0, output
    assert f"> POST {app.url}" in output
    assert f"> X-Twilio-Signature: {app.headers['X-Twilio-Signature']}" in output
    assert "< 200 in " in output
    assert "< Set-Cookie: count=1; Path=/" in output
    assert "to whoever wrote: 1: hi" in output


async def test_other_kinds_and_paths(app: SampleApp) -> None:
    """A path of the app, with parameters; the result as one JSON object."""
    code, output = await call("call", "--path", "/menu?lang=de", "--param", "Digits=1", "--json")
    found = json.loads(output)
    assert (code, found["accepted"], found["answer"]["status"]) == (0, True, 200)
    assert found["request"]["url"] == f"http://127.0.0.1:{app.port}/menu?lang=de"
    assert "Digits=1" in found["request"]["body"]


async def test_wrong_token_is_found(app: SampleApp) -> None:
    """By the command and by doctor, which say what to do."""
    app.token = "another"
    code, output = await call()
    assert code == 1
    assert "the auth token" in output
    (credentials, *others) = await findings(send=True)
    assert credentials == (Level.WARNING, "there are no credentials to send what apps answer to messages")
    assert {level for level, _ in others} == {Level.PROBLEM}
    assert "its validator probably refuses our signature" in others[0][1]


async def test_app_that_is_away_or_fails(app: SampleApp) -> None:
    """A problem if nothing is there; a warning if the app does not know the path."""
    assert [level for level, _ in await findings()][1:] == [Level.OK] * 2
    assert [level for level, _ in await findings(send=True)][1:] == [Level.OK] * 2
    app.answer = answering(404)
    assert [level for level, _ in await findings(send=True)][1:] == [Level.WARNING] * 2
    await app.stop()
    for send in (False, True):
        assert [level for level, _ in await findings(send=send)][1:] == [Level.PROBLEM] * 2
    code, output = await call()
    assert code == 1
    assert "cannot be reached: connection refused" in output


async def test_nothing_is_forwarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to set; doctor has nothing to say."""
    monkeypatch.delenv("FORWARD_URL")
    found = await asyncio.to_thread(CliRunner().invoke, command_line, ["forward", "test"])
    assert "Set FORWARD_URL" in str(found.exception)
    assert await findings() == []


@pytest.mark.parametrize("name", ["TWILIO_AUTH_TOKEN", "port"])
async def test_settings_that_cannot_work(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Nothing to sign with, or a forward to Hookline itself: the processor does not start."""
    if name == "port":
        monkeypatch.setenv("PUBLIC_URL", f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv("FORWARD_URL", f"{os.environ['PUBLIC_URL']}/sms")
    else:
        monkeypatch.delenv(name)
    found = await asyncio.to_thread(CliRunner().invoke, command_line, ["forward", "test"])
    assert "FORWARD_URL is wrong" in str(found.exception)
