"""`hookline number`, against an HTTP server with Twilio's numbers."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from hookline_cli.main import app as command_line

ACCOUNT = "AC" + "1" * 32
BEFORE = {"sms_url": "https://app.example.com/sms?tenant=7", "voice_url": ""}
AFTER = {
    "sms_url": "https://hooks.example.com/sms?tenant=7#rc=3&rp=all",
    "voice_url": "https://hooks.example.com/twilio#rc=3&rp=all",
}


@dataclass
class Numbers:
    """Two numbers, on pages of one each. Credentials other than `secret` are refused."""

    urls: dict[str, dict[str, str]] = field(default_factory=lambda: {"PN1": dict(BEFORE), "PN2": dict(BEFORE)})
    fails: bool = False

    async def listed(self, request: web.Request) -> web.Response:
        """Answer a request for a page."""
        if "Basic" not in request.headers.get("Authorization", ""):
            return web.json_response({}, status=401)
        page = int(request.query.get("Page", "0"))
        sid = list(self.urls)[page]
        item = {"sid": sid, "phone_number": f"+1415555010{page}", **self.urls[sid]}
        following = f"{request.path}?Page={page + 1}" if page + 1 < len(self.urls) else None
        return web.json_response({"incoming_phone_numbers": [item], "next_page_uri": following})

    async def changed(self, request: web.Request) -> web.Response:
        """Answer a request to change a number."""
        if self.fails:
            return web.json_response({"message": "busy"}, status=500)
        form = await request.post()
        assert {form["SmsMethod"], form["VoiceMethod"]} == {"POST"}
        self.urls[request.match_info["sid"]] = {"sms_url": str(form["SmsUrl"]), "voice_url": str(form["VoiceUrl"])}
        return web.json_response({})


@pytest.fixture
async def numbers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Numbers]:
    """Yield the numbers of an account, and work in a folder with its credentials."""
    numbers, app = Numbers(), web.Application()
    path = f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers"
    app.add_routes([web.get(f"{path}.json", numbers.listed), web.post(f"{path}/{{sid}}.json", numbers.changed)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    settings = {
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_API_SECRET": "secret",
        "TWILIO_API_URL": f"http://127.0.0.1:{runner.addresses[0][1]}",
        "PUBLIC_URL": "https://hooks.example.com",
        "TWILIO_AUTH_TOKEN": "5" * 32,
        "FORWARD_URL": "http://127.0.0.1:1/sms",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield numbers
    await runner.cleanup()


async def call(*words: str) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, command_line, ["number", *words])


async def test_point_and_restore(numbers: Numbers) -> None:
    """Only the host changes, of one number; then it has what it had."""
    shown = json.loads((await call("show", "--json")).output)["numbers"]
    assert [one["findings"] for one in shown] == [["SmsUrl: calls another host", "VoiceUrl: none"]] * 2
    result = await call("point", "+14155550101", "--yes")
    assert result.exit_code == 0, result.output
    assert numbers.urls == {"PN1": BEFORE, "PN2": AFTER}
    assert (await call("restore", "--yes")).exit_code == 0
    assert numbers.urls == {"PN1": BEFORE, "PN2": BEFORE}
    assert "Nothing is noted" in str((await call("restore", "--yes")).exception)


async def test_number_that_somebody_has_changed(numbers: Numbers) -> None:
    """It is left alone, unless it is forced."""
    await call("point", "PN1", "--yes")
    numbers.urls["PN1"] = {"sms_url": "https://third.example.com/", "voice_url": ""}
    result = await call("restore", "--yes")
    assert "changed by somebody else" in str(result.exception)
    assert (await call("restore", "--yes", "--force")).exit_code == 0
    assert numbers.urls["PN1"] == BEFORE


async def test_twilio_that_does_not_do_it(numbers: Numbers) -> None:
    """What it had is noted before, and nothing needs to be put back."""
    numbers.fails = True
    assert "Twilio answered 500" in str((await call("point", "PN1", "--yes")).exception)
    numbers.fails = False
    assert "has its old URLs already" in (await call("restore", "--yes")).output
    assert numbers.urls["PN1"] == BEFORE


async def test_mistakes(numbers: Numbers, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown number, no confirmation, and no credentials: nothing is changed."""
    assert "has no number +1" in str((await call("point", "+1", "--yes")).exception)
    assert (await call("point", "PN1")).exit_code != 0
    monkeypatch.delenv("TWILIO_ACCOUNT_SID")
    assert "There are no credentials" in str((await call("show")).exception)
    assert numbers.urls == {"PN1": BEFORE, "PN2": BEFORE}
