"""What the processes of `hookline up` get to see, and what becomes of the folder for their data."""

from pathlib import Path

import pytest

from hookline_cli.up.child_process import for_processor, without_secrets
from hookline_cli.workspace import Workspace
from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.settings.base import secrets_of

ENVIRONMENT = {
    "PATH": "/bin",
    "REDIS_URL": "redis://:a@h",
    "TWILIO_AUTH_TOKEN": "b",
    "TWILIO_SHARED_KEYS_FILE": "/c",
    "HOOKLINE_LEDGER_URL": "postgresql://:d@h",
    "DATABASE_URL": "postgresql://:d@h",
    "INGRESS_PORT": "1",
}


def test_ingress_does_not_get_the_ledgers_password() -> None:
    """What is no secret, and its own secrets, are all that it gets."""
    got = without_secrets(ENVIRONMENT, secrets_of(IngressSettings))
    assert ENVIRONMENT.keys() - got.keys() == {"HOOKLINE_LEDGER_URL", "DATABASE_URL"}


def test_processor_does_not_get_what_verifies_signatures() -> None:
    """Nor do handlers, unless the user has set it for them."""
    got = without_secrets(ENVIRONMENT, secrets_of(ProcessorSettings))
    assert "TWILIO_SHARED_KEYS_FILE" not in got
    assert {"REDIS_URL", "HOOKLINE_LEDGER_URL", "DATABASE_URL"} <= got.keys()


def test_redis_gets_no_secret() -> None:
    """It has no use for any."""
    assert without_secrets(ENVIRONMENT, ()) == {"PATH": "/bin", "INGRESS_PORT": "1"}


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_folder_that_is_there_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    """`--data X` changes nothing about a folder of the user's; what is put into it is for its owner only."""
    tmp_path.chmod(mode)
    workspace = Workspace(tmp_path)
    workspace.create()
    assert tmp_path.stat().st_mode & 0o777 == mode
    assert workspace.redis_data.stat().st_mode & 0o777 == 0o700


def test_new_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    """Nobody else reads what a folder has that `hookline up` makes."""
    workspace = Workspace(tmp_path / "new")
    workspace.create()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_token_that_is_made_up_is_not_for_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a fallback of the secret for sending, with which Twilio would refuse all messages."""
    monkeypatch.delenv("TWILIO_AUTH_TOKEN", raising=False)
    assert "TWILIO_AUTH_TOKEN" in secrets_of(ProcessorSettings)
    assert "TWILIO_AUTH_TOKEN" not in for_processor()
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "b")
    assert "TWILIO_AUTH_TOKEN" in for_processor()
