"""`hookline send` against a real ingress."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hookline_cli.send.sendgrid_key import SendGridKey
from hookline_cli.send.templates import SHORT
from hookline_shared.topics import MESSAGES
from tests.support.inbound.webhooks import PUBLIC_URL, TOKEN
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.storage.stored import Stored
from tests.support.waiting import PATIENCE_S, until

_ROOT = Path(__file__).parents[3]
_COMMAND = "from hookline_cli.start import main; main()"


async def send(folder: Path, ingress: LocalIngress | None, *words: str, given: str | bytes = "") -> tuple[int, str, str]:
    """Run `hookline send` beside `ingress`, as if `hookline up` had started that; return exit code, output and errors."""
    if ingress is not None:
        facts = {"public_url": PUBLIC_URL, "auth_token": TOKEN, "local_url": f"http://127.0.0.1:{ingress.port}"}
        (folder / "up.json").write_text(json.dumps(facts))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _COMMAND, "send", *words, "--data", str(folder)),
        env={"PYTHONPATH": str(_ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(
        process.communicate(given.encode() if isinstance(given, str) else given), PATIENCE_S
    )
    assert process.returncode is not None
    assert b"Traceback" not in errors
    return process.returncode, output.decode(), errors.decode()


async def sent(folder: Path, ingress: LocalIngress, *words: str) -> dict[str, Any]:
    code, output, errors = await send(folder, ingress, "--json", *words)
    assert code == 0, errors
    found: dict[str, Any] = json.loads(output)
    return found


async def test_every_way_is_accepted(redis_url: str, stored: Stored, tmp_path: Path) -> None:
    """Forms, JSON, arrays and multipart are verified and stored, SendGrid's with a key that is made on the way."""
    settings = ingress_settings(redis_url) | {"SENDGRID_PUBLIC_KEY": SendGridKey(tmp_path).public}
    ways = ("message", "call", "link-click", "events", "sendgrid", "email")
    async with running_ingress(settings) as ingress:
        answers = await asyncio.gather(*(send(tmp_path, ingress, name) for name in ways))
    assert [code for code, _, _ in answers] == [0] * len(ways), answers
    assert sorted(event.kind for event in stored.events()) == sorted(SHORT[name].kind for name in ways)


async def test_parameters_and_bodies(ingress: LocalIngress, stored: Stored, tmp_path: Path) -> None:
    """Any parameter can be set, and any JSON be sent, from standard input, too."""
    assert (await send(tmp_path, ingress, "message", "--param", "Body=", "--param", "ProfileName=Zoë", "--from", "+1"))[0] == 0
    assert (await send(tmp_path, ingress, "events", "--json-body", '[{"a": 1}, {"a": 2}]'))[0] == 0
    assert (await send(tmp_path, ingress, "unknown", "--json-body", "-", given='{"a": "é"}'))[0] == 0
    code, _, errors = await send(tmp_path, ingress, "unknown", "--json-body", "-", given=b'["\xff"]')
    assert (code, "is not JSON" in errors) == (1, True)
    (message,) = stored.events(MESSAGES)
    assert b"Body=&" in message.body
    assert b"ProfileName=Zo%C3%AB" in message.body
    assert b"From=%2B1&" in message.body
    others = {event.body for event in stored.events() if event.kind != "message.received"}
    assert others == {'{"a": "é"}'.encode(), b'{"a": 1}', b'{"a": 2}'}


async def test_many_from_many(ingress: LocalIngress, stored: Stored, tmp_path: Path) -> None:
    """So many as asked for are sent, each a webhook of its own, from so many senders, and all results are reported."""
    found = await sent(tmp_path, ingress, "message", "--times", "60", "--senders", "6", "--concurrency", "7")
    assert (found["sent"], found["accepted"], found["answers"]) == (60, 60, {"200": 60})
    assert found["latency_ms"]["p50"] <= found["latency_ms"]["p95"] <= found["latency_ms"]["max"]
    assert Counter(Counter(event.key for event in stored.events(MESSAGES)).values()) == {10: 6}


async def test_rate_is_kept(ingress: LocalIngress, tmp_path: Path) -> None:
    """At a rate, the last of so many is not sent before its time."""
    found = await sent(tmp_path, ingress, "message", "--times", "20", "--rate", "50")
    assert found["seconds"] >= 19 / 50
    assert found["per_s"] <= 20 / (19 / 50)


async def test_summary_is_shown(ingress: LocalIngress, tmp_path: Path) -> None:
    """Many are summed up in three lines, one is shown as it was answered."""
    code, output, _ = await send(tmp_path, ingress, "message", "--times", "5")
    assert code == 0
    assert output.startswith("5 sent in ")
    assert "answers  200: 5" in output
    assert "p99" in output
    code, output, _ = await send(tmp_path, ingress, "message")
    assert output.startswith("200 <Response/>  in ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["message", "--token", "f" * 32], "The signature was rejected."),
        (["message", "--token", "f" * 32, "--times", "3"], "3 of 3 were not accepted, with 403. The signature"),
        (["sendgrid"], "SENDGRID_PUBLIC_KEY="),
        (["message", "--json-body", f'"{"x" * (1 << 20)}"'], "was not accepted, and nothing was stored"),
        (["massage"], "'massage' is neither a short name (message, status"),
    ],
)
async def test_refusals_are_explained(ingress: LocalIngress, words: list[str], message: str, tmp_path: Path) -> None:
    """What is not accepted ends with exit code 1 and with what to do."""
    given = ""
    if "--json-body" in words:  # too long for a command line
        words, given = [*words[:-1], "-"], words[-1]
    code, _, errors = await send(tmp_path, ingress, *words, given=given)
    assert code == 1
    assert message in errors


async def test_nothing_leaves_this_machine(ingress: LocalIngress, stored: Stored, tmp_path: Path) -> None:
    """Without --yes-really no other machine is sent anything, whatever the announced or named target is."""
    for url in ("https://hooks.example.com/twilio", "http://0x7f000001.example/twilio", "http://127.0.0.1.example.com/twilio"):
        code, _, errors = await send(tmp_path, ingress, "message", "--url", url)
        assert code == 1
        assert "--yes-really" in errors
    (tmp_path / "up.json").write_text(json.dumps({"public_url": PUBLIC_URL, "auth_token": TOKEN}))
    code, _, errors = await send(tmp_path, None, "message")
    assert code == 1
    assert "--yes-really" in errors
    assert stored.events() == []


async def test_interruption_shows_what_was_sent(ingress: LocalIngress, tmp_path: Path) -> None:
    """Ctrl-C ends a long run, which is summed up; on a terminal there was a bar meanwhile."""
    (tmp_path / "up.json").write_text(json.dumps({"public_url": f"http://127.0.0.1:{ingress.port}", "auth_token": TOKEN}))
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    words = ("send", "message", "--url", f"http://127.0.0.1:{ingress.port}/twilio", "--times", "100000", "--rate", "50")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _COMMAND, *words, "--data", str(tmp_path)),
        env={"PYTHONPATH": str(_ROOT), "TERM": "xterm", "COLUMNS": "120"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    screen = b""

    def read() -> bytes:
        nonlocal screen
        with suppress(OSError):
            screen += os.read(ours, 65536)
        return screen

    await until(lambda: b"/100000" in read() and b"not accepted" in screen, "the bar shows how it goes")
    process.send_signal(signal.SIGINT)
    code = await asyncio.wait_for(process.wait(), PATIENCE_S)
    await until(lambda: b"latency" in read(), "it is summed up")
    os.close(ours)
    assert code == 130
    assert b"Traceback" not in screen
