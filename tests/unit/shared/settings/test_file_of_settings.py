"""Settings in the TOML file, beside those of the environment."""

from pathlib import Path

import pytest

from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import SettingsError
from hookline_shared.settings.config_file import CONFIG_VARIABLE

TOKEN, OTHER_TOKEN = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"

PASSWORD = "s3cr3t-pa55word"


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://hooks.example.com")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "hookline.toml"
    monkeypatch.setenv(CONFIG_VARIABLE, str(file))
    return file


def complaints() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        IngressSettings.load()
    return caught.value.problems


def test_config_file_is_read(config_file: Path) -> None:
    """Any setting can stand in the TOML file, in either case, lists as lists."""
    config_file.write_text('ingress_port = 8081\nHOOKLINE_PARTITIONS = 4\nLOG_LEVEL = "debug"\n')
    settings = IngressSettings.load()
    assert (settings.port, settings.partitions, settings.log_level) == (8081, 4, "debug")


def test_required_settings_may_stand_in_the_config_file(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are written as lists or with commas."""
    monkeypatch.delenv("PUBLIC_URL")
    monkeypatch.delenv("TWILIO_AUTH_TOKEN")
    config_file.write_text(
        f'public_url = ["https://a.example.com", "https://b.example.com/"]\ntwilio_auth_token = "{TOKEN},{OTHER_TOKEN}"'
    )
    settings = IngressSettings.load()
    assert settings.public_urls == ("https://a.example.com", "https://b.example.com")
    assert settings.auth_tokens == (TOKEN, OTHER_TOKEN)


def test_environment_wins_over_the_config_file(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable overrides the file; an empty one does not."""
    config_file.write_text("ingress_port = 8081\ningress_admin_port = 9081\n")
    monkeypatch.setenv("INGRESS_PORT", "8082")
    monkeypatch.setenv("INGRESS_ADMIN_PORT", "")
    settings = IngressSettings.load()
    assert (settings.port, settings.admin_port) == (8082, 9081)


def test_wrong_setting_in_the_config_file_is_named(config_file: Path) -> None:
    """A wrong value in the file is explained like one in the environment, next to those."""
    config_file.write_text(f'ingress_port = "many"\ntwilio_auth_token = 5\nredis_url = "http://:{PASSWORD}@h"\n')
    found = complaints()
    assert {problem.split()[0] for problem in found} == {"INGRESS_PORT", "REDIS_URL"}
    assert PASSWORD not in str(found)


def test_missing_config_file_is_named(config_file: Path) -> None:
    """A file that is not there is an error, not an empty one."""
    (problem,) = complaints()
    assert problem == f"{CONFIG_VARIABLE}={config_file} cannot be read: No such file or directory. Check the path."


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", b"a = 1\na = 2"])
def test_malformed_config_file_is_named(config_file: Path, content: bytes) -> None:
    """A file that is no TOML is an error that names it."""
    config_file.write_bytes(content)
    (problem,) = complaints()
    assert problem.startswith(f"{CONFIG_VARIABLE}={config_file} is not valid TOML: ")


def test_tracing_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracing without OpenTelemetry is refused in one line that says what to install."""
    monkeypatch.setenv("TRACING", "on")
    assert IngressSettings.load().tracing == "on"
    monkeypatch.setattr(
        "hookline_shared.settings.base.find_spec", lambda name: None if name == "opentelemetry.sdk" else object()
    )
    (complaint,) = complaints()
    assert complaint.startswith("TRACING is wrong: it needs OpenTelemetry's SDK and exporter: pip install 'opentelemetry-api>=")


def test_headers_for_the_collector_are_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What OpenTelemetry's own variables say to get past a collector's door is never logged, decoded or not."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20abc, x-key=k3y")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-other=0th3r")
    assert {"Bearer%20abc", "Bearer abc", "k3y", "0th3r"} <= set(ProcessorSettings.load().secrets())
