"""The settings of the sender."""

import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from hookline_processor.media.addresses import Credentials
from hookline_shared.validation import AtLeastOne, Check, Positive, SettingsGroup, Variable

_ACCOUNT: Final = re.compile(r"AC[0-9a-fA-F]{32}")
_KEY: Final = re.compile(r"SK[0-9a-fA-F]{32}")


def _account(sid: str) -> str:
    if not _ACCOUNT.fullmatch(sid):
        raise ValueError("it must be the SID of an account, AC and 32 hexadecimal digits")
    return sid


def _key(sid: str) -> str:
    if not _KEY.fullmatch(sid):
        raise ValueError("it must be the SID of an API key, SK and 32 hexadecimal digits; without one, leave it out")
    return sid


def _secret(secret: str) -> str:
    if any(character.isspace() for character in secret):
        raise ValueError("it has white space in it; an API key's secret and an auth token have none")
    return secret


def _url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("it must be of the form https://host[:port][/path]")
    return url.rstrip("/")


class SenderSettings(SettingsGroup, frozen=True, kw_only=True):
    """The settings of the sender. Without all of the credentials, messages wait.

    Some of them alone are no mistake: the user's own code may need them.
    """

    account_sid: Annotated[
        str | None,
        Check(_account),
        Variable("TWILIO_ACCOUNT_SID", "SID of the account that sends messages, for itself and its subaccounts"),
    ] = None
    api_key: Annotated[
        str | None,
        Check(_key),
        Variable("TWILIO_API_KEY", "SID of the API key (SK...) with which messages are sent"),
    ] = None
    api_secret: Annotated[
        str | None,
        Check(_secret),
        Variable(
            "TWILIO_API_SECRET",
            "Secret of TWILIO_API_KEY; without an API key, the auth token of TWILIO_ACCOUNT_SID",
            secret=True,
        ),
    ] = None
    api_url: Annotated[
        str, Check(_url), Variable("TWILIO_API_URL", "Base URL of Twilio's API, for a region, an edge or a test")
    ] = "https://api.twilio.com"
    status_callback: Annotated[
        str | None,
        Check(_url),
        Variable(
            "TWILIO_STATUS_CALLBACK",
            "URL of ingress for the status callbacks of sent messages, such as https://hooks.example.com/twilio/status. "
            "Without it, Twilio tells nothing about them, and only its list says what became of a request that was cut",
        ),
    ] = None
    timeout_s: Annotated[Positive, Variable("TWILIO_TIMEOUT_S", "Time limit of a request to Twilio's API in seconds")] = 10
    limit: Annotated[
        AtLeastOne,
        Variable(
            "OUTBOX_LIMIT",
            "Largest number of messages that wait to be sent, in all partitions together. Above it, the processor sends "
            "messages, and handles no other new events",
        ),
    ] = 1_000_000
    on_unknown: Annotated[
        Literal["resend", "dead"],
        Variable(
            "OUTBOX_ON_UNKNOWN",
            "What becomes of a message if nobody knows after two minutes whether Twilio has it: resend or dead",
        ),
    ] = "resend"

    def credentials(self, _account: str) -> Credentials | None:
        """Return the credentials of an account, None if there are none. They are for one account and its subaccounts."""
        if self.account_sid is None or self.api_secret is None:
            return None
        return Credentials(self.api_key or self.account_sid, self.api_secret)

    @property
    def complete(self) -> bool:
        """Whether there are credentials."""
        return self.account_sid is not None and self.api_secret is not None
