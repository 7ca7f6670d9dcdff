"""`hookline config`: what is set, where, and what of it is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hookline_cli.main import app
from hookline_cli.settings.masking import HIDDEN, mask_credentials, mask_pair, mask_url
from hookline_shared.redis.url import parse_redis_url
from hookline_shared.settings.config_file import CONFIG_VARIABLE

ACCOUNT = "AC" + "1" * 32
SECRET = "planted"
_GREETING = "<Response><Message>Thank you</Message></Response>"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what is required."""
    monkeypatch.setenv("PUBLIC_URL", "https://hooks.example.com")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", f"{SECRET}-1,{ACCOUNT}={SECRET}-2")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a TOML file that is named already."""
    made = tmp_path / "hookline.toml"
    monkeypatch.setenv(CONFIG_VARIABLE, str(made))
    return made


def shown(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["config", *words])
    assert result.exit_code == code, result.output
    return result.output


def objects(*words: str, code: int = 0) -> dict[str, Any]:
    found = json.loads(shown("--json", *words, code=code))
    return {"problems": found["problems"], "warnings": found["warnings"]} | {one["variable"]: one for one in found["settings"]}


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://:planted@host:1/0", "redis://:****@host:1/0"),
        ("rediss://user:planted@[::1]:1/0", "rediss://user:****@[::1]:1/0"),
        ("redis+sentinel://u:pl@nted@a:1,b:2/main/0", "redis+sentinel://u:****@a:1,b:2/main/0"),
        ("redis://h/0?password=planted&db=3", "redis://h/0?password=****&db=3"),
        ("redis+sentinel://a:1/m?sentinel_username=u&sentinel_password=planted", None),
        ("unix://:planted@/run/redis.sock?db=1", "unix://:****@/run/redis.sock?db=1"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_only_the_password_of_a_url_is_hidden(url: str, masked: str | None) -> None:
    """Which server and which user it is stays readable."""
    expected = masked or "redis+sentinel://a:1/m?sentinel_username=u&sentinel_password=****"
    assert mask_url(url) == expected
    parse_redis_url(url)


def test_secret_that_is_no_url() -> None:
    """A token is masked completely."""
    assert mask_url("0123456789abcdef") == HIDDEN


@pytest.mark.parametrize("url", ["sqlite:////srv/bot/ledger.db", "sqlite:///ledger.db", "unix:////run/redis.sock"])
def test_paths_in_urls_keep_their_slashes(url: str) -> None:
    """An absolute path stays absolute, so the URL can be copied from the output."""
    assert mask_url(url) == url


@given(st.text(min_size=9, alphabet=st.characters(exclude_characters="/?#[]@,%\\", categories=["L", "N", "P", "S"])))
def test_no_password_is_shown(password: str) -> None:
    """Whatever is in it: a URL that is taken is shown without its password."""
    url = f"redis://user:{password}@host:1/0"
    try:
        parse_redis_url(url)
    except ValueError:
        return
    assert password not in mask_url(url)


def test_pairs_and_credentials() -> None:
    """Of a token that is bound to an account, the account is shown; of a wrong URL nothing that may be a secret."""
    assert (mask_pair("AC1=planted"), mask_pair("planted")) == (f"AC1={HIDDEN}", HIDDEN)
    assert mask_credentials("ftp://u:p@host,https://x@y/z") == "ftp://****@host,https://****@y/z"


def test_secrets_are_masked_and_the_rest_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are shown, but no token, no shared key and no Redis password."""
    monkeypatch.setenv("REDIS_URL", f"redis://operator:{SECRET}@redis.example.com/0")
    monkeypatch.setenv("TWILIO_SHARED_KEYS", f"SK1={SECRET}-key")
    monkeypatch.setenv("ALERT_URL", f"https://hooks.slack.com/services/{SECRET}")
    for output in (shown(), shown("--json")):
        assert SECRET not in output
        for expected in (
            "https://hooks.slack.com/****",
            "https://hooks.example.com",
            "redis://operator:****@redis.example.com/0",
            f"{ACCOUNT}=****",
            "SK1=****",
        ):
            assert expected in output


def test_source_of_each_value(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told whether a value is from the environment, from the file, or the default; the environment wins."""
    file.write_text('processor_concurrency = 7\nlog_level = "debug"\n')
    monkeypatch.setenv("LOG_LEVEL", "error")
    monkeypatch.setenv("INGRESS_PORT", "")
    found = objects()
    facts = {
        name: (found[name]["value"], found[name]["source"]) for name in ("PROCESSOR_CONCURRENCY", "LOG_LEVEL", "INGRESS_PORT")
    }
    assert facts == {
        "PROCESSOR_CONCURRENCY": (7, "file"),
        "LOG_LEVEL": ("error", "environment"),
        "INGRESS_PORT": (8080, "default"),
    }
    assert found["PROCESSOR_CONCURRENCY"]["default"] == "100"
    assert found["PROCESSOR_CONCURRENCY"]["service"] == "processor"
    assert found["LOG_LEVEL"]["service"] is None


def test_empty_spool_path_is_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever says that there is no spool sees that."""
    monkeypatch.setenv("INGRESS_SPOOL_PATH", "")
    assert (objects()["INGRESS_SPOOL_PATH"]["value"], objects()["INGRESS_SPOOL_PATH"]["source"]) == (None, "environment")


def test_one_mistake_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside settings that are wrong or missing the others are shown; all mistakes come at the end, with exit code 2."""
    monkeypatch.delenv("PUBLIC_URL")
    monkeypatch.setenv("INGRESS_PORT", "high")
    monkeypatch.setenv("REDIS_URL", f"redis:/{SECRET}@host")
    monkeypatch.setenv("PROCESSOR_CONCURRENCY", "7")
    found = objects(code=2)
    assert (found["PROCESSOR_CONCURRENCY"]["value"], found["PROCESSOR_CONCURRENCY"]["right"]) == (7, True)
    assert (found["INGRESS_PORT"]["value"], found["INGRESS_PORT"]["right"]) == ("high", False)
    assert (found["PUBLIC_URL"]["value"], found["PUBLIC_URL"]["source"]) == (None, None)
    assert [problem.partition(" ")[0] for problem in found["problems"]] == ["REDIS_URL", "PUBLIC_URL", "INGRESS_PORT"]
    output = shown(code=2)
    assert output.index("PROCESSOR_HANDLER_TIMEOUT_S") < output.index("problem PUBLIC_URL is not set.")
    assert SECRET not in output


def test_settings_that_contradict_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is only wrong beside another one is marked, too."""
    monkeypatch.setenv("REDIS_BLOCKING_POOL_SIZE", "4")
    found = objects(code=2)
    assert (found["REDIS_BLOCKING_POOL_SIZE"]["value"], found["REDIS_BLOCKING_POOL_SIZE"]["right"]) == ("4", False)


def test_file_that_cannot_be_read(file: Path) -> None:
    """The environment is shown all the same."""
    for content in (None, "port ="):
        if content:
            file.write_text(content)
        output = shown(code=2)
        assert "https://hooks.example.com" in output
        assert f"problem {CONFIG_VARIABLE}={file} " in output


def test_topics_and_routes_are_readable(file: Path) -> None:
    """Each is a line, with what was said of it; as JSON they are what the file could say."""
    file.write_text(
        f"""
        [[routes]]
        path = "/tenants/7"
        kind = "studio"
        reply = "{_GREETING}"
        [topics.slow]
        ordered = false
        concurrency = 3
        """
    )
    assert f"/tenants/7: kind studio, reply 200 text/xml {_GREETING}" in shown()
    assert "slow: weight 1, 3 handlers at once, not ordered" in shown()
    usual = {"live": False, "expired": "settle"}
    reply = {"status": 200, "type": "text/xml", "body": _GREETING}
    assert objects()["ROUTES"]["value"] == [{"path": "/tenants/7", "kind": "studio", "reply": reply, **usual}]
    assert objects()["TOPICS"]["value"]["slow"] == {"weight": 1, "concurrency": 3, "ordered": False}


def test_alerts_are_readable(file: Path) -> None:
    """Each is a line, with when it fires and is resolved; as JSON they are what the file could say."""
    file.write_text("[alerts.disk_low]\nenabled = false\n[alerts.reply_slow]\nthreshold = 2")
    assert "reply_slow: warning at 2 for 30 s, clear at 0.8, over 300 s" in shown()
    assert "disk_low: off" in shown()
    assert objects()["ALERTS"]["value"]["disk_low"] == {
        "threshold": 1024.0,
        "clear": 1536.0,
        "for_s": 30.0,
        "window_s": None,
        "level": "critical",
        "enabled": False,
    }


def test_what_is_no_setting_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of the file that nobody reads, and a variable that looks mistyped, are named; other variables are not."""
    file.write_text("ingress_prot = 3\nwidth = 4\n")
    monkeypatch.setenv("PROCESOR_LEASE_S", "4")
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
    assert objects()["warnings"] == [
        f"INGRESS_PROT in the file of {CONFIG_VARIABLE} is not a setting (did you mean INGRESS_PORT?).",
        f"WIDTH in the file of {CONFIG_VARIABLE} is not a setting.",
        "PROCESOR_LEASE_S is not a setting (did you mean PROCESSOR_LEASE_S?).",
    ]


def test_one_service_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has only the processor need not know what ingress does."""
    monkeypatch.delenv("PUBLIC_URL")
    found = objects("--service", "processor")
    assert "PROCESSOR_LEASE_S" in found
    assert "REDIS_URL" in found
    assert "INGRESS_PORT" not in found
    objects("--service", "ingress", code=2)


def test_only_what_was_changed() -> None:
    """--changed leaves out what is the default."""
    output = shown("--changed")
    assert "PUBLIC_URL" in output
    assert "INGRESS_PORT" not in output


@pytest.mark.parametrize("width", ["80", "120"])
def test_no_line_is_too_long(width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table fits the terminal."""
    monkeypatch.setenv("COLUMNS", width)
    assert max(map(len, shown().splitlines())) <= int(width)
