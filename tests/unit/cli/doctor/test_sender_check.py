"""What `hookline doctor` finds about the credentials for sending. It sends nothing."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookline.testing import FakeTwilio
from hookline_cli.doctor.checks.sender import check_sender
from hookline_cli.doctor.finding import Finding, Level
from hookline_cli.doctor.subject import Subject

OTHER = "AC" + "2" * 32


@pytest.fixture
async def twilio() -> AsyncIterator[FakeTwilio]:
    """Yield a Twilio."""
    async with FakeTwilio() as twilio:
        yield twilio


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1")


async def check(*, online: bool = False) -> list[Finding]:
    return await check_sender(Subject.now(Path("var"), online=online, send=False))


def configure(monkeypatch: pytest.MonkeyPatch, twilio: FakeTwilio, **changed: str) -> None:
    for name, value in (twilio.environment | changed).items():
        monkeypatch.setenv(name, value)


async def test_right_credentials(monkeypatch: pytest.MonkeyPatch, twilio: FakeTwilio) -> None:
    """Twilio is asked, and gets no message."""
    configure(monkeypatch, twilio)
    (finding,) = await check()
    assert finding.level is Level.OK
    assert twilio.account in finding.found
    assert (twilio.lists, twilio.requests) == (1, 0)


async def test_revoked_key(monkeypatch: pytest.MonkeyPatch, twilio: FakeTwilio) -> None:
    """It is a problem, whose finding says what happens to messages, and what to do."""
    configure(monkeypatch, twilio, TWILIO_API_SECRET="revoked")
    (finding,) = await check()
    assert finding.level is Level.PROBLEM
    assert "refuses the credentials" in finding.found
    assert "Create an API key" in finding.remedy
    assert "revoked" not in str(finding)


async def test_each_account_is_asked(monkeypatch: pytest.MonkeyPatch, twilio: FakeTwilio, tmp_path: Path) -> None:
    """With its own credentials."""
    (tmp_path / "other").write_text("wrong")
    (tmp_path / "hookline.toml").write_text(f'[[accounts]]\nsid = "{OTHER}"\napi_secret_file = "other"\n')
    configure(monkeypatch, twilio)
    assert [finding.level for finding in await check()] == [Level.OK, Level.PROBLEM]


async def test_twilio_itself_is_asked_only_online(monkeypatch: pytest.MonkeyPatch, twilio: FakeTwilio) -> None:
    """Without --online, doctor connects to nothing but this machine and Redis."""
    configure(monkeypatch, twilio, TWILIO_API_URL="https://api.example.invalid")
    (finding,) = await check()
    assert finding.level is Level.OK
    assert "--online" in finding.found
    (finding,) = await check(online=True)
    assert finding.level is Level.WARNING
    assert "cannot be reached" in finding.found


async def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no mistake, unless there are some of them. The token of ingress alone says nothing about sending."""
    (finding,) = await check()
    assert finding.level is Level.OK
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "0" * 32)
    (finding,) = await check()
    assert finding.level is Level.OK
    monkeypatch.delenv("TWILIO_AUTH_TOKEN")
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", OTHER)
    (finding,) = await check()
    assert finding.level is Level.WARNING
    assert "TWILIO_API_SECRET" in finding.remedy
