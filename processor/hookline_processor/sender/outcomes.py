"""The outcomes of a request to Twilio, and what its error codes mean. Pure."""

from enum import Enum
from typing import Final, NamedTuple

from hookline_processor.verdicts import Reason

_OPTED_OUT: Final = 21610
_AUTHENTICATE: Final = 20003


class Trouble(Enum):
    """Why nothing was sent, though the message is right."""

    UNREACHABLE = "unreachable"
    LIMITED = "limited"
    CREDENTIALS = "credentials"


class Sent(NamedTuple):
    """Twilio has the message, and calls it `sid`."""

    sid: str


class NotSent(NamedTuple):
    """Nothing was sent. `retry_after_s` is what Twilio asks for, 0 if it asks for nothing."""

    trouble: Trouble
    reason: str
    retry_after_s: float = 0


class Refused(NamedTuple):
    """Twilio refuses the message for good. `code` is Twilio's, or the status of the answer."""

    code: int
    message: str


class Unknown(NamedTuple):
    """Nobody knows whether Twilio has the message."""

    reason: str


Outcome = Sent | NotSent | Refused | Unknown

_MEANINGS: Final = {
    21211: "The recipient is no valid number. Check it",
    21408: "The account may not send to this country. Allow it in the Twilio console, under Messaging, Geo permissions",
    21606: "The sender is no number of this account that can send. Check from_ and the account",
    21610: "The recipient has sent STOP. Nothing may be sent until they send START",
    21612: "The sender cannot reach this recipient. Choose another sender, or ask Twilio",
    21614: "The recipient is no mobile number, so it gets no messages",
    21617: "The text is too long. Send several messages",
    21620: "A URL of media is invalid. Twilio must be able to fetch it",
    21623: "There are too many media. Send several messages",
    21656: "The variables of the content template are invalid. Check content_variables",
    21659: "The sender is no number of this account. Check from_ and the account",
    21660: "The sender belongs to another account. Check from_ and the account",
    21703: "The messaging service has no sender. Add one in the Twilio console",
    63016: "A WhatsApp user who has been silent for 24 hours gets templates only. Send content_sid",
}


def refusal_of(status: int, code: int, message: str) -> Refused | NotSent | Unknown:
    """Return the outcome of an answer with `status`, which is not 2xx. `code` and `message` are Twilio's."""
    if code == _AUTHENTICATE or status in (401, 403):
        return NotSent(Trouble.CREDENTIALS, f"Twilio refuses the credentials ({code})")
    if status == 429:  # noqa: PLR2004
        return NotSent(Trouble.LIMITED, "Twilio limits the rate (429)")
    if status == 408 or not 400 <= status < 500:  # noqa: PLR2004
        return Unknown(f"Twilio answered {status}")
    return Refused(code, message)


def reason_of(refused: Refused) -> Reason:
    """Return the reason of the dead letter of a refused message."""
    return Reason.OPTED_OUT if refused.code == _OPTED_OUT else Reason.REFUSED


def explain(refused: Refused) -> str:
    """Return what a refusal means and what to do, for people."""
    meaning = _MEANINGS.get(refused.code, refused.message.rstrip(". ") or "Twilio refuses the message")
    return f"{meaning} (Twilio's error {refused.code}, https://www.twilio.com/docs/api/errors/{refused.code})."
