"""The numbers of an account, by Twilio's IncomingPhoneNumbers API.

Source: https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from hookline_cli.number.urls import FIELDS, Number, number_of
from hookline_processor.sender.settings import SenderSettings
from hookline_shared.errors import HooklineError

_TIMEOUT: Final = aiohttp.ClientTimeout(total=15)
_PAGE: Final = "100"
_MOST_PAGES: Final = 50
_REFUSED: Final = (401, 403)


class NumberError(HooklineError):
    """Twilio's numbers cannot be read or changed."""


class TwilioNumbers:
    """The numbers of the account in `settings`."""

    def __init__(self, session: aiohttp.ClientSession, settings: SenderSettings, account: str, authorization: str) -> None:
        self._session = session
        self._base = settings.api_url
        self._path = f"/2010-04-01/Accounts/{account}/IncomingPhoneNumbers"
        self._headers = {"Authorization": authorization}

    async def all(self) -> list[Number]:
        """Return all numbers.

        Raises:
            NumberError: if Twilio does not list them.

        """
        found: list[Number] = []
        target: str | None = f"{self._path}.json?PageSize={_PAGE}"
        for _ in range(_MOST_PAGES):
            if not target:
                break
            page = await self._ask("GET", target)
            listed = page.get("incoming_phone_numbers")
            found += map(number_of, listed if isinstance(listed, list) else ())
            following = page.get("next_page_uri")
            target = following if isinstance(following, str) else None
        return found

    async def change(self, sid: str, urls: Mapping[str, str]) -> None:
        """Set the URLs of the number `sid`. All of them are called with POST.

        Raises:
            NumberError: if Twilio did not confirm that.

        """
        form = {FIELDS[name]: url for name, url in urls.items()}
        form |= {f"{FIELDS[name].removesuffix('Url')}Method": "POST" for name in urls}
        await self._ask("POST", f"{self._path}/{sid}.json", form)

    async def _ask(self, method: str, target: str, form: Mapping[str, str] | None = None) -> Mapping[str, object]:
        url = f"{self._base}{target}"
        try:
            async with self._session.request(method, url, data=form, headers=self._headers, allow_redirects=False) as answer:
                if answer.status in _REFUSED:
                    raise NumberError(
                        "Twilio refuses the credentials. Check TWILIO_ACCOUNT_SID, TWILIO_API_KEY and TWILIO_API_SECRET."
                    )
                if answer.status >= 300:  # noqa: PLR2004
                    raise NumberError(f"Twilio answered {answer.status}: {(await answer.text())[:200]}")
                found = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NumberError(f"Twilio did not answer: {type(error).__name__}. Nothing more is known; try again.") from error
        return found if isinstance(found, dict) else {}


@asynccontextmanager
async def open_numbers(settings: SenderSettings) -> AsyncIterator[TwilioNumbers]:
    """Yield the numbers of the account in `settings`.

    Raises:
        NumberError: if there are no credentials.

    """
    account = settings.account_sid or ""
    credentials = settings.credentials(account) if account else None
    if credentials is None:
        raise NumberError("There are no credentials for Twilio. Set TWILIO_ACCOUNT_SID, TWILIO_API_KEY and TWILIO_API_SECRET.")
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        yield TwilioNumbers(session, settings, account, credentials.header)
