"""What doctor says about live routes."""

from pathlib import Path

import pytest

from hookline_cli.doctor.checks.live import check_live
from hookline_cli.doctor.finding import Level
from hookline_cli.doctor.subject import Subject

TWIML = "<Response><Reject/></Response>"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set what ingress requires, and work in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PUBLIC_URL", "https://hooks.example.com")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "5" * 32)


def write(toml: str) -> None:
    Path("hookline.toml").write_text(toml)


async def found() -> list[tuple[Level, str]]:
    return [(one.level, one.found) for one in await check_live(Subject.now(Path("var"), online=False, send=False))]


async def test_live_without_a_fallback() -> None:
    """It is named, and what live routes need is said."""
    write(f"""
    [[routes]]
    path = "/voice"
    live = true
    [[routes]]
    path = "/good"
    live = true
    fallback = "{TWIML}"
    [[forward]]
    path = "/app"
    url = "http://app"
    """)
    (level, text), (other, needs) = await found()
    assert (level, other) == (Level.WARNING, Level.OK)
    assert text == "live without a fallback of its own: /voice, /app"
    assert "#rc=3&rp=all" in needs


async def test_nothing_is_live() -> None:
    """Then there is nothing to say."""
    write('[[forward]]\npath = "/app"\nurl = "http://app"\nlive = false')
    assert await found() == []
