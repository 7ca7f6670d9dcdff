"""Check the credentials with which messages are sent, without sending any."""

import asyncio
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from hookline_cli.addresses import is_loopback
from hookline_cli.doctor.finding import Finding, fine, problem, warning
from hookline_cli.doctor.subject import Subject
from hookline_processor.media.addresses import Credentials
from hookline_processor.sender.settings import SenderSettings

_CHECK: Final = "sending"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_MEANING: Final = "What handlers answer and send waits in the topic outbox, and nobody gets it."
_PARTLY: Final = (
    "Set TWILIO_ACCOUNT_SID, TWILIO_API_KEY and TWILIO_API_SECRET, or without an API key the auth token as TWILIO_API_SECRET."
)
_REPLACE: Final = "Create an API key in Twilio's console, set TWILIO_API_KEY and TWILIO_API_SECRET, and restart the processor."
_UNKNOWN: Final = "Whether the credentials are right is not known."
_REFUSED: Final = frozenset({401, 403})
_OK: Final = 200


async def check_sender(subject: Subject) -> list[Finding]:
    """Check that Twilio takes the credentials of each account. Without --online, only a Twilio on this machine is asked."""
    if subject.processor is None:
        return []
    settings = subject.processor.sender
    if not settings.complete:
        return list(_incomplete(settings))
    if not subject.online and not is_loopback(settings.api_url):
        return [fine(_CHECK, "there are credentials; with --online, Twilio is asked whether they are right")]
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        return list(await asyncio.gather(*(_ask(session, settings.api_url, *one) for one in _accounts(settings))))


def _incomplete(settings: SenderSettings) -> Iterator[Finding]:
    if settings.account_sid or settings.api_key:
        yield warning(_CHECK, "only some of the credentials are set, so nothing is sent", _MEANING, _PARTLY)
    else:
        yield fine(_CHECK, "no credentials: if handlers answer or send messages, these wait")


def _accounts(settings: SenderSettings) -> Iterator[tuple[str, Credentials]]:
    accounts = [settings.account_sid, *(one.sid for one in settings.accounts)]
    for account in dict.fromkeys(filter(None, accounts)):
        if (credentials := settings.credentials(account)) is not None:
            yield account, credentials


async def _ask(session: aiohttp.ClientSession, base: str, account: str, credentials: Credentials) -> Finding:
    """Ask for one message of the account: sending needs this permission as well, to look for messages in doubt."""
    url = f"{base}/2010-04-01/Accounts/{account}/Messages.json"
    try:
        async with session.get(
            url, params={"PageSize": "1"}, headers={"Authorization": credentials.header}, allow_redirects=False
        ) as response:
            return _judge(account, response.status)
    except (aiohttp.ClientError, TimeoutError) as error:
        found = f"{urlsplit(base).netloc} cannot be reached: {type(error).__name__}"
        return warning(_CHECK, found, _UNKNOWN, "Check the network, and TWILIO_API_URL if it is set.")


def _judge(account: str, status: int) -> Finding:
    if status == _OK:
        return fine(_CHECK, f"Twilio takes the credentials of {account}")
    if status in _REFUSED:
        return problem(_CHECK, f"Twilio refuses the credentials of {account} ({status})", _MEANING, _REPLACE)
    return warning(_CHECK, f"Twilio answers {status} for {account}", _UNKNOWN, "Try again later.")
