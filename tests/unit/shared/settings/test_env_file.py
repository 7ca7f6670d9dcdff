"""`.env`: more environment variables for every command and service, and one clear line for what is wrong in it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hookline_cli.main import app
from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import SettingsError

TOKEN, OTHER = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
REQUIRED = f"PUBLIC_URL=https://hooks.example.com\nTWILIO_AUTH_TOKEN={TOKEN}\n"
ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the `.env` of an otherwise empty working folder; it is not there yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hookline_shared.settings.env_file.ENV_FILE", Path(".env"))
    return tmp_path / ".env"


def complaint() -> str:
    with pytest.raises(SettingsError) as caught:
        IngressSettings.load()
    (problem,) = caught.value.problems
    return problem


def config(code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["config", "--json"])
    assert result.exit_code == code, result.output
    found = json.loads(result.output)
    return {one["variable"]: one for one in found["settings"]} | {name: found[name] for name in ("problems", "warnings")}


def test_settings_are_read(env_file: Path) -> None:
    """What a file for shells and Compose may have is understood: comments, quotes, export, Windows' line ends and mark."""
    text = f"\n# mine\nexport LOG_LEVEL=error # quiet\nPROCESSOR_CONCURRENCY = '7'\nPROCESSOR_LEASE_S=\"3\"\n{REQUIRED}"
    env_file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    ingress, processor = IngressSettings.load(), ProcessorSettings.load()
    assert (ingress.auth_tokens, ingress.log_level) == ((TOKEN,), "error")
    assert (processor.concurrency, processor.lease_s) == (7, 3)
    assert TOKEN in ingress.secrets()


def test_environment_wins_over_it_and_it_over_the_toml_file(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve-factor values win, in whatever case they are written. HOOKLINE_CONFIG may be in `.env`, too."""
    Path("hookline.toml").write_text('ingress_port = 1\nlog_level = "debug"\ningress_keepalive_s = 5\n')
    env_file.write_text(f"{REQUIRED}HOOKLINE_CONFIG=hookline.toml\nINGRESS_PORT=2\nLOG_LEVEL=error\nALERT_INTERVAL_S=3\n")
    monkeypatch.setenv("ingress_port", "3")
    settings = IngressSettings.load()
    assert (settings.port, settings.log_level, settings.keepalive_s, settings.alerts.interval_s) == (3, "error", 5, 3)


def test_variable_that_is_set_to_nothing_wins(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts a process can switch off what `.env` switches on."""
    env_file.write_text(f"{REQUIRED}ALERT_URL=https://alerts.example.com/x\nINGRESS_SPOOL_PATH=here.db\n")
    monkeypatch.setenv("ALERT_URL", "")
    monkeypatch.setenv("INGRESS_SPOOL_PATH", "")
    settings = IngressSettings.load()
    assert (settings.alerts.url, settings.spool_path) == (None, None)


@pytest.mark.parametrize("in_the_environment", ["TWILIO_AUTH_TOKEN", "TWILIO_AUTH_TOKEN_FILE"])
def test_secret_and_its_file_are_one(in_the_environment: str, env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that the environment has hides a file that `.env` names, and the reverse: they are no contradiction."""
    Path("token").write_text(OTHER if in_the_environment.endswith("FILE") else TOKEN)
    lines = {"TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_AUTH_TOKEN_FILE": "token"}
    value = {"TWILIO_AUTH_TOKEN": OTHER, "TWILIO_AUTH_TOKEN_FILE": "token"}[in_the_environment]
    monkeypatch.setenv(in_the_environment, value)
    (other,) = lines.keys() - {in_the_environment}
    env_file.write_text(f"PUBLIC_URL=https://hooks.example.com\n{other}={lines[other]}\n")
    assert IngressSettings.load().auth_tokens == (OTHER,)


def test_others_find_it_in_the_environment(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers and the SDK of OpenTelemetry read the environment, so what is for them may be in `.env`; ${...} is filled in."""
    monkeypatch.setenv("HOST", "collector")
    env_file.write_text(f"{REQUIRED}OTEL_EXPORTER_OTLP_ENDPOINT=http://${{HOST}}:4318\nSHOP_KEY='a#b c'\n")
    IngressSettings.load()
    assert (os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], os.environ["SHOP_KEY"]) == ("http://collector:4318", "a#b c")


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"A=1\nplanted\nB=2\n", "line 2: this is no assignment."),
        (b"\n\n# c\n\n  planted secret\n", "line 5: this is no assignment."),
        (b'A=1\r\nplanted="secret\r\nB=2\r\nplanted\r\n', "line 2, 4: these are no assignments."),
        (b"planted: secret\n", "line 1: this is no assignment."),
        (b"[planted]\n", "line 1: this is no assignment."),
        (b"A=1\nB=planted\0secret\n", "line 2: this is no assignment."),
        (b"planted\n" * 9, "line 1, 2, 3, 4, 5, …: these are no assignments."),
        (b"A=1\n# \xe9t\xe9\nB=planted\n", "line 2: this is not text in UTF-8."),
    ],
)
def test_what_is_wrong_is_told_with_its_line(content: bytes, where: str, env_file: Path) -> None:
    """One line says where, and does not show what stands there: it may be a secret."""
    env_file.write_bytes(content)
    problem = complaint()
    assert problem.startswith(f".env, {where}")
    assert "planted" not in problem
    assert "\n" not in problem


def test_folder_of_that_name_is_none(env_file: Path) -> None:
    """A virtual environment in `.env/` is nothing of ours."""
    env_file.mkdir()
    with pytest.raises(SettingsError, match="PUBLIC_URL is not set"):
        IngressSettings.load()


def test_file_that_cannot_be_read(env_file: Path) -> None:
    """A `.env` that is there and cannot be read is reported, not left out in silence."""
    env_file.symlink_to("/proc/self/mem")  # which nobody can read at its beginning, root neither
    assert complaint().startswith(".env cannot be read: ")


def test_config_names_the_source(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`hookline config` tells `.env` from the environment, hides secrets, and warns of what looks mistyped."""
    env_file.write_text(f"{REQUIRED}LOG_LEVEL=error\nINGRESS_PORT=81\nPROCESSOR_CONCURENCY=5\nSHOP_KEY=1\n")
    monkeypatch.setenv("INGRESS_PORT", "82")
    found = config()
    sources = {name: found[name]["source"] for name in ("PUBLIC_URL", "LOG_LEVEL", "INGRESS_PORT", "REDIS_URL")}
    assert sources == {"PUBLIC_URL": ".env", "LOG_LEVEL": ".env", "INGRESS_PORT": "environment", "REDIS_URL": "default"}
    assert (found["TWILIO_AUTH_TOKEN"]["value"], found["INGRESS_PORT"]["value"]) == (["****"], 82)
    assert found["warnings"] == ["PROCESSOR_CONCURENCY in .env is not a setting (did you mean PROCESSOR_CONCURRENCY?)."]


def test_config_shows_the_rest_if_it_is_wrong(env_file: Path) -> None:
    """What is wrong in `.env` is told at the end, once."""
    env_file.write_text(f"{REQUIRED}oops\n")
    found = config(code=2)
    assert [problem for problem in found["problems"] if problem.startswith(".env, line 3: ")] == found["problems"]


def test_example_is_true_for_a_plain_start(env_file: Path) -> None:
    """A copy of .env.example with every line in force changes nothing, and what is Compose's alone disturbs nobody."""
    before = config(code=2)
    lines = (ROOT / ".env.example").read_text().splitlines()
    env_file.write_text("\n".join(re.sub(r"^#([A-Z][A-Z0-9_]*=)", r"\1", line) for line in lines))
    shown = config(code=2)
    assert shown["warnings"] == []
    assert shown["problems"] == before["problems"]
    assert {name: one["value"] for name, one in shown.items() if "value" in one} == {
        name: one["value"] for name, one in before.items() if "value" in one
    }


def test_send_says_what_is_wrong(env_file: Path) -> None:
    """A command that needs a token or a URL does not go on with others than `.env` was to give."""
    env_file.write_text(f"{REQUIRED}oops\n")
    with pytest.raises(SettingsError, match="line 3"):
        CliRunner().invoke(app, ["send", "message"], catch_exceptions=False)


@pytest.mark.parametrize("words", [["-m", "hookline_ingress"], ["-m", "hookline_processor"], ["-m", "hookline_cli", "ingress"]])
def test_services_end_with_that_line(words: list[str], env_file: Path) -> None:
    """A service that cannot read its settings ends with code 2."""
    env_file.write_text("oops\n")
    command = ["-c", "from hookline_cli.start import main; main()", *words[2:]] if "hookline_cli" in words else words
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *command], env=environment, cwd=env_file.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert ".env, line 1: this is no assignment." in done.stderr
    assert "Traceback" not in done.stderr


def test_help_needs_no_settings(env_file: Path) -> None:
    """A mistake in `.env` keeps nobody from reading how things are done."""
    env_file.write_text("oops\n")
    assert CliRunner().invoke(app, ["config", "--help"]).exit_code == 0
