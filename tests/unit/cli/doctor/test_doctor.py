"""What `hookline doctor` makes of settings, tokens and URLs, and how it reports what it found."""

import json
import os
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
from typer.testing import CliRunner

from hookline_cli.addresses import is_loopback, is_public
from hookline_cli.doctor.checks import webhook
from hookline_cli.doctor.checks.settings import check_settings
from hookline_cli.doctor.checks.spool_disk import file_system
from hookline_cli.doctor.finding import Level
from hookline_cli.doctor.subject import Subject
from hookline_cli.main import app
from hookline_cli.workspace import StackFacts, Workspace
from hookline_shared.settings.config_file import CONFIG_VARIABLE
from tests.support.inbound.webhooks import PUBLIC_URL, TOKEN
from tests.support.processes.findings import subject, the_wrong, wrongs
from tests.support.servers.ports import free_port

ACCOUNT = "AC" + "1" * 32


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set what is required, and ports on which nothing listens; work in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())  # doctor adds to it what `hookline up` made up
    monkeypatch.setenv("PUBLIC_URL", PUBLIC_URL)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("REDIS_URL", f"redis://:planted-password@127.0.0.1:{free_port()}/0")
    monkeypatch.setenv("INGRESS_HOST", "127.0.0.1")
    for name in ("INGRESS_PORT", "INGRESS_ADMIN_PORT", "PROCESSOR_ADMIN_PORT"):
        monkeypatch.setenv(name, str(free_port()))


async def test_right_settings() -> None:
    """Nothing is wrong with settings that are right."""
    assert wrongs(await check_settings(Subject.now(Path("var"), online=False, send=False))) == []


async def test_loopback_of_a_container_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ingress is another container, a PUBLIC_URL of this machine leads to nobody, and that is no problem."""
    monkeypatch.setenv("INGRESS_HOST", "ingress")
    monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:8080")
    monkeypatch.setattr(webhook, "_runs", AsyncMock(return_value=True))
    monkeypatch.setattr(webhook, "_direct", AsyncMock(return_value=[]))
    assert await webhook.check_webhook(Subject.now(Path("var"), online=False, send=False)) == []


async def test_mistakes_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What both services read wrong is one problem, which says that neither starts; nothing else is looked at for them."""
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("PROCESSOR_CONCURRENCY", "0")
    examined = Subject.now(Path("var"), online=False, send=False)
    assert (examined.ingress, examined.processor) == (None, None)
    found = await check_settings(examined)
    assert [level for level, _ in wrongs(found)] == [Level.PROBLEM, Level.PROBLEM]
    assert [finding.meaning for finding in found] == ["ingress and processor will not start.", "processor will not start."]


async def test_what_is_no_setting_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped key has no effect, which nobody would notice."""
    (tmp_path / "hookline.toml").write_text("ingress_prot = 1\n")
    monkeypatch.setenv(CONFIG_VARIABLE, "hookline.toml")
    level, found = the_wrong(await check_settings(Subject.now(Path("var"), online=False, send=False)))
    assert level is Level.WARNING
    assert "did you mean INGRESS_PORT?" in found


@pytest.mark.parametrize(
    ("tokens", "level", "words"),
    [
        (f"{TOKEN},{ACCOUNT}", Level.PROBLEM, "number 2 in TWILIO_AUTH_TOKEN is an account SID"),
        (f"{ACCOUNT}=SK{'2' * 32}", Level.PROBLEM, "is the SID of an API key"),
        ("your-auth-token", Level.WARNING, "not 32 hexadecimal digits"),
        (TOKEN.upper(), Level.WARNING, "in lower case"),
    ],
)
async def test_tokens_that_cannot_be_right(tokens: str, level: Level, words: str) -> None:
    """What people take for a token and is none is reported, without showing it."""
    wrong = the_wrong(await check_settings(subject({"TWILIO_AUTH_TOKEN": tokens})))
    assert wrong[0] is level
    assert words in wrong[1]
    assert tokens not in wrong[1]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:8080", "not a public address"),
        ("https://hooks.internal", "not a public address"),
        ("https://192.168.1.5", "not a public address"),
        ("https://hooks.example.com/twilio", "ends with the path of a webhook"),
        ("http://hooks.example.com", "does not use TLS"),
    ],
)
async def test_public_urls_that_twilio_cannot_use_well(url: str, words: str) -> None:
    """Each is a warning: it works, but not as meant."""
    level, found = the_wrong(await check_settings(subject({"PUBLIC_URL": url})))
    assert level is Level.WARNING
    assert words in found


@pytest.mark.parametrize(
    ("url", "loopback", "public"),
    [
        ("http://127.0.0.1:1", True, False),
        ("http://[::1]:1", True, False),
        ("http://localhost:1", True, False),
        ("http://10.0.0.1", False, False),
        ("https://8.8.8.8", False, True),
        ("https://hooks.example.com", False, True),
        ("https://127.0.0.1.example.com", False, True),
        ("https://printer", False, False),
        ("http://[", False, False),
        ("", False, False),
    ],
)
def test_where_a_url_leads(url: str, *, loopback: bool, public: bool) -> None:
    """It is reported without asking anybody."""
    assert (is_loopback(url), is_public(url)) == (loopback, public)


def test_file_system_of_a_path() -> None:
    """The deepest mount counts, of several at one place the last."""
    mounts = [(Path("/"), "rootfs"), (Path("/"), "overlay"), (Path("/data"), "nfs4"), (Path("/data2"), "tmpfs")]
    kinds = {path: file_system(Path(path), mounts) for path in ("/data/spool", "/data22", "/data2", "/")}
    assert kinds == {"/data/spool": "nfs4", "/data22": "overlay", "/data2": "tmpfs", "/": "overlay"}
    assert file_system(Path("/"), []) == ""


def test_findings_for_programs() -> None:
    """--json has every finding and how many are bad; the exit code is 1 if something is wrong. No secret is in it."""
    result = CliRunner().invoke(app, ["doctor", "--json"])
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["problems"] == 1
    (redis,) = [finding for finding in found["findings"] if finding["level"] == "problem"]
    assert redis["check"] == "redis"
    assert "Is it running" in redis["found"]
    assert redis["remedy"].startswith("Fix that, or change REDIS_URL, which is redis://:****@127.0.0.1:")
    for secret in ("planted-password", TOKEN):
        assert secret not in result.output


@pytest.mark.parametrize("width", ["80", "120"])
def test_findings_for_people(width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is reported with its remedy, in lines that fit; the last line sums up."""
    monkeypatch.setenv("COLUMNS", width)
    lines = CliRunner().invoke(app, ["doctor"]).stdout.splitlines()
    assert max(map(len, lines)) <= int(width)
    assert any(line.lstrip().startswith("→ Fix that, or change REDIS_URL") for line in lines)
    assert lines[-1].startswith("1 problem and ")


def test_running_pair_is_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `hookline up` made up itself is taken from it; what is set here counts more."""
    for name in ("PUBLIC_URL", "TWILIO_AUTH_TOKEN", "REDIS_URL", "INGRESS_HOST", "INGRESS_PORT", "INGRESS_ADMIN_PORT"):
        monkeypatch.setenv(name, "")
    Path("var").mkdir()
    workspace = Workspace(Path("var"))
    workspace.announce(
        StackFacts(
            PUBLIC_URL,
            "0" * 32,
            "unix:///run/r.sock",
            {"ingress-1": 9123, "processor": 9124},
            "http://127.0.0.1:8123",
            {
                "PUBLIC_URL": PUBLIC_URL,
                "INGRESS_PORT": "8123",
                "INGRESS_ADMIN_PORT": "9123",
                "PROCESSOR_ADMIN_PORT": "9124",
                "PROCESSOR_HANDLERS": "bot:handlers",
                "INGRESS_SPOOL_PATH": "var/spool.db",
                "HOOKLINE_PREFIX": "staging",
            },
        )
    )
    examined = Subject.now(Path("var"), online=False, send=False)
    assert examined.ingress is not None
    assert examined.processor is not None
    assert (examined.ingress.port, examined.ingress.admin_port, examined.ingress.auth_tokens) == (8123, 9123, ("0" * 32,))
    assert (examined.ingress.redis.url, examined.ingress.spool_path) == ("unix:///run/r.sock", Path("var/spool.db"))
    assert (examined.processor.handlers, examined.hidden_redis) == ("bot:handlers", False)
    assert examined.processor.redis.prefix == "staging"
    assert examined.processor.admin_port != 9124


def test_redis_that_was_not_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another Redis is not looked at in its place."""
    monkeypatch.setenv("REDIS_URL", "")
    Path("var").mkdir()
    workspace = Workspace(Path("var"))
    workspace.announce(StackFacts(admin_ports={"ingress": 9123}))
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert "Set REDIS_URL for this command, too." in result.stdout
