"""Whatever secret is configured for either service or for handlers, every redactor knows it."""

from pathlib import Path

import pytest

from hookline_cli.settings.rows import secrets
from hookline_shared.settings.config_file import CONFIG_VARIABLE
from hookline_shared.settings.known_secrets import SECRET_VARIABLES, known_secrets

TOKEN, OTHER, ACCOUNT = "0123456789abcdef" * 2, "f" * 32, "AC" + "1" * 32


def test_every_secret_setting_is_known() -> None:
    """A new setting that holds a secret cannot be forgotten."""
    assert set(secrets()) <= set(SECRET_VARIABLES)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("TWILIO_AUTH_TOKEN", f"{TOKEN}, {ACCOUNT}={OTHER}", {TOKEN, OTHER}),
        ("TWILIO_SHARED_KEYS", f"SK1=s3cr3t==,{ACCOUNT}=SK2=another", {"s3cr3t==", "another"}),
        ("REDIS_URL", "redis://u:p%40ssword@h:1/0?sentinel_password=w0rdpass", {"p%40ssword", "p@ssword", "w0rdpass"}),
        ("HOOKLINE_LEDGER_URL", "postgresql://u:hunter22@h/db", {"hunter22"}),
        ("ALERT_URL", "https://hooks.example.com/T0/B0/x", {"https://hooks.example.com/T0/B0/x"}),
        ("TWILIO_API_SECRET", "longenough", {"longenough"}),
        ("SENDGRID_API_KEY", "SG.abcdefgh", {"SG.abcdefgh"}),
        ("DB_PASSWORD", "with space, and comma", {"with space, and comma"}),
    ],
)
def test_secrets_of_a_variable(name: str, value: str, found: set[str], tmp_path: Path) -> None:
    """In the environment, and in a file that it names."""
    assert found <= known_secrets({name: value, CONFIG_VARIABLE: ""})
    file = tmp_path / "secret"
    file.write_text(f"{value}\n")
    assert found <= known_secrets({f"{name}_FILE": str(file), CONFIG_VARIABLE: ""})


def test_secrets_of_the_files(tmp_path: Path) -> None:
    """In the TOML file, and in the file with the tokens of subaccounts."""
    tokens, config = tmp_path / "tokens", tmp_path / "hookline.toml"
    tokens.write_text(f"# main\n{ACCOUNT}={TOKEN}\n")
    config.write_text(f'twilio_auth_token = ["{OTHER}"]\nTWILIO_TOKENS_PATH = "{tokens}"\n')
    assert {TOKEN, OTHER} <= known_secrets({CONFIG_VARIABLE: str(config)})
    assert TOKEN in known_secrets({"TWILIO_TOKENS_PATH": str(tokens), CONFIG_VARIABLE: ""})


def test_what_is_no_secret_stays(tmp_path: Path) -> None:
    """Addresses, account SIDs, ids of keys, short words and files that cannot be read hide nothing."""
    environment = {
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "TWILIO_AUTH_TOKEN": f"{ACCOUNT}={TOKEN}",
        "TWILIO_SHARED_KEYS": "SK12345=another",
        "MY_TOKEN": "yes",
        "OTHER_TOKEN_FILE": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        CONFIG_VARIABLE: "",
    }
    assert known_secrets(environment) == {TOKEN, "another"}
