"""A failure is stored with its event, as a dead letter and in the ledger: it has no secret that the process knows."""

from hookline_processor.verdicts import Failure
from hookline_shared.observability.secrets import SECRETS

TOKEN = "5ec4e7" * 5 + "00"


def fail(token: str) -> None:
    raise ValueError(f"https://AC1:{token}@api.twilio.com answered 401 to {token}")


def test_failure_quotes_no_secret() -> None:
    """Not in the message, not in the traceback, and not in the end of a token that a limit of length has cut."""
    SECRETS.add([TOKEN])
    for lead in ("", "x" * 990, "x" * 20_000):
        try:
            fail(lead + TOKEN if lead else TOKEN)
        except ValueError as error:
            failure = Failure.of(error)
        assert TOKEN[:8] not in failure.message + failure.traceback
        assert TOKEN[-8:] not in failure.message + failure.traceback
    assert "answered 401" in Failure.of(ValueError("answered 401")).message
