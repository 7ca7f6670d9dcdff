"""Whatever secret is configured for either service or for handlers, every redactor knows it."""

import os
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
        ("ADMIN_TOKEN", "aB0=aB0=aB0=aB0=", {"aB0=aB0=aB0=aB0="}),
        ("TWILIO_API_SECRET", "longenough", {"longenough"}),
        ("SENDGRID_API_KEY", "SG.abcdefgh", {"SG.abcdefgh"}),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG", {"wJalrXUtnFEMI/K7MDENG"}),
        ("STRIPE_KEY", "sk_live_1234", {"sk_live_1234"}),
        ("DB_PASS", "hunter2hunter2", {"hunter2hunter2"}),
        ("MYSQL_PWD", "hunter2hunter2", {"hunter2hunter2"}),
        ("APP_SECRETS", "hunter2hunter2", {"hunter2hunter2"}),
        ("TWILIO_AUTH_TOKEN_OLD", TOKEN, {TOKEN}),
        ("SENTRY_DSN", "https://abcdef0123@o1.ingest.example/2", {"https://abcdef0123@o1.ingest.example/2"}),
        ("SIGNING_KEY", "first line\nsecond line", {"first line", "second line"}),
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
        "TWILIO_TOKENS_PROVIDER": "my_tokens:find_token",
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "TWILIO_AUTH_TOKEN": f"{ACCOUNT}={TOKEN}",
        "TWILIO_SHARED_KEYS": "SK12345=another",
        "MY_TOKEN": "yes",
        "PWD": "/home/somebody",
        "MY_PUBLIC_KEY": "not a secret",
        "DB_PASSWORD": "postgres",
        "USE_API_KEY": "disabled",
        "OTHER_TOKEN_FILE": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        CONFIG_VARIABLE: "",
    }
    assert known_secrets(environment) == {TOKEN, "another"}


def test_hosts_and_words_are_no_secrets() -> None:
    """What an error is about must stay: hosts of a list of servers, the words of a pass phrase, an ordinary word."""
    cluster = {"REDIS_URL": "redis+cluster://u:hunter22@a:7000,b-host:7001,c-host:7002", CONFIG_VARIABLE: ""}
    assert known_secrets(cluster) == {"hunter22"}
    assert known_secrets({"MY_PASSPHRASE": "contains ordinary words", CONFIG_VARIABLE: ""}) == {"contains ordinary words"}
    assert known_secrets({"REDIS_URL": "redis://:redis@127.0.0.1", CONFIG_VARIABLE: ""}) == set()


def test_pipe_is_left_alone(tmp_path: Path) -> None:
    """Opening it would wait for ever, or take the secret from who needs it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert known_secrets({"MY_PASSWORD_FILE": str(pipe), CONFIG_VARIABLE: ""}) == set()
