"""The settings of the sender."""

from ipaddress import ip_address
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from hookline_processor.media.addresses import Credentials
from hookline_processor.sender.account_settings import AccountsSetting, check_account, check_key, check_secret
from hookline_shared.settings.fallbacks import Fallback
from hookline_shared.validation import AtLeastOne, Check, Positive, SettingsGroup, Variable

_STATUS_PATH: Final = "/twilio/status"


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
        Check(check_account),
        Variable("TWILIO_ACCOUNT_SID", "SID of the account that sends messages, for itself and its subaccounts"),
    ] = None
    api_key: Annotated[
        str | None,
        Check(check_key),
        Variable("TWILIO_API_KEY", "SID of the API key (SK...) with which messages are sent"),
    ] = None
    api_secret: Annotated[
        str | None,
        Check(check_secret),
        Variable(
            "TWILIO_API_SECRET",
            "Secret of TWILIO_API_KEY; without an API key, the auth token of TWILIO_ACCOUNT_SID. By default the first of "
            "TWILIO_AUTH_TOKEN, if the processor has that",
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
            "Without it, Twilio tells nothing about them, and only its list says what became of a request that was cut. By "
            "default /twilio/status at the first PUBLIC_URL, if the processor has that, and Twilio can reach it",
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

    accounts: Annotated[
        AccountsSetting,
        Variable(
            "ACCOUNTS",
            "Credentials of further accounts that send messages, only in the TOML file: tables [[accounts]], see "
            "docs/replies.md",
        ),
    ] = ()

    def credentials(self, account: str) -> Credentials | None:
        """Return the credentials of an account, None if there are none.

        Those of `[[accounts]]` are for one account each, the others for one and its subaccounts.
        """
        own = next((one for one in self.accounts if one.sid == account), None)
        if own is not None:
            return own.credentials()
        if self.account_sid is None or self.api_secret is None:
            return None
        return Credentials(self.api_key or self.account_sid, self.api_secret)

    @property
    def default_account(self) -> str:
        """The account that sends what names none, empty if there is none."""
        if self.account_sid is not None:
            return self.account_sid
        return self.accounts[0].sid if len(self.accounts) == 1 else ""

    @property
    def complete(self) -> bool:
        """Whether there are any credentials."""
        return bool(self.accounts) or (self.account_sid is not None and self.api_secret is not None)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be logged."""
        own = (self.api_secret,) if self.api_secret else ()
        return (*own, *(one.credentials().password for one in self.accounts))


def _first_token(tokens: str) -> str:
    """Return the first of several auth tokens, without the account for which it is."""
    return tokens.split(",", maxsplit=1)[0].strip().rpartition("=")[2]


def _status_callback(urls: str) -> str:
    """Return the path for status callbacks at the first of several URLs, empty if Twilio cannot reach that."""
    url = urls.split(",", maxsplit=1)[0].strip().rstrip("/")
    return f"{url}{_STATUS_PATH}" if _is_public(urlsplit(url).hostname or "") else ""


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".localhost", ".internal", ".test", ".invalid"))


def _no_obstacle(_value: str) -> str:
    return ""


SENDER_FALLBACKS: Final = (
    Fallback("TWILIO_AUTH_TOKEN", "TWILIO_API_SECRET", "", _no_obstacle, adapted=_first_token),
    Fallback("PUBLIC_URL", "TWILIO_STATUS_CALLBACK", "", _no_obstacle, adapted=_status_callback),
)
"""What ingress needs, and the processor uses if it has it."""
