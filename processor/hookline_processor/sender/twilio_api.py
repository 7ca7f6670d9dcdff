"""Twilio's Messages API, by twilio-python with an HTTP client of ours.

Its own HTTP client passes no time-out, follows no deadline, and does not tell a request that was not sent from one without an
answer. Importing twilio-python takes some megabytes and a moment, so only the first message does that, in a thread.
"""

import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from hookline_processor.media.addresses import Credentials
from hookline_processor.sender.outcomes import NotSent, Outcome, Sent, Trouble, Unknown, refusal_of
from hookline_shared.clock import Clock

_TWILIO: Final = "https://api.twilio.com"
_CONNECT_S: Final = 4.0
_KEPT_ALIVE_S: Final = 15.0
_PAGE: Final = 50
_LONGEST_ANSWER: Final = 1 << 20
_LIMITED: Final = 429
_LONGEST_PAUSE_S: Final = 300.0
_ARGUMENTS: Final = {
    "To": "to",
    "From": "from_",
    "MessagingServiceSid": "messaging_service_sid",
    "Body": "body",
    "MediaUrl": "media_url",
    "ContentSid": "content_sid",
    "ContentVariables": "content_variables",
    "StatusCallback": "status_callback",
}
_SEND_AT: Final = "SendAt"

_not_after: Final[ContextVar[float]] = ContextVar("not_after")
"""The time in monotonic seconds after which a request must not go out any more."""


class NotConnectedError(Exception):
    """The request was not sent."""


class LimitedError(Exception):
    """Twilio answered 429."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("429")
        self.retry_after_s = retry_after_s


class HttpClient(AsyncHttpClient):  # type: ignore[misc]
    """The HTTP client of twilio-python's `Client`: requests to `base` with a time limit, and nothing is sent twice."""

    def __init__(self, base: str, timeout_s: float, clock: Clock) -> None:
        super().__init__(logger=_SILENT, is_async=True, timeout=timeout_s)
        self._base = base
        self._clock = clock
        limits = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(_CONNECT_S, timeout_s))
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_ALIVE_S)
        self._session = aiohttp.ClientSession(connector=connector, timeout=limits, cookie_jar=aiohttp.DummyCookieJar())

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - that of the session counts
        allow_redirects: bool = False,
    ) -> Response:
        """Send a request, and return the answer.

        Raises:
            NotConnectedError: if it was not sent.
            LimitedError: if the answer is 429.
            aiohttp.ClientError, TimeoutError: if there is no answer. It may have been carried out.

        """
        if self._clock.monotonic() > _not_after.get():
            raise NotConnectedError("it is too late: another processor may have looked for it")
        credentials = {"Authorization": Credentials(*auth).header} if auth else {}
        try:
            async with self._session.request(
                method.upper(),
                url.replace(_TWILIO, self._base, 1),
                params=dict(params or {}),
                data=aiohttp.FormData(_pairs(data)) if data else None,
                headers={**(headers or {}), **credentials},
                allow_redirects=False,
            ) as response:
                if response.status == _LIMITED:
                    raise LimitedError(_seconds(response.headers.get("Retry-After", "")))
                text = (await response.content.read(_LONGEST_ANSWER)).decode(errors="replace")
                return Response(response.status, text, dict(response.headers))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotConnectedError(f"no connection to Twilio: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


class _Silent:
    """A logger that twilio-python asks, without lines: they would have texts and numbers."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_arguments, **_keywords: None


_SILENT: Final = _Silent()


class TwilioApi:
    """The Messages API at `base`, with a time limit of `timeout_s` seconds for each request."""

    def __init__(self, username: str, password: str, base: str, timeout_s: float, clock: Clock) -> None:
        self._clock = clock
        self._http = HttpClient(base, timeout_s, clock)
        nothing = {"": ""}  # else it takes what is missing from the environment
        self._client = Client(username, password, http_client=self._http, environment=nothing)
        self._messages: dict[str, Any] = {}

    async def create(self, account: str, parameters: Mapping[str, Any], not_after: float) -> Outcome:
        """Send the message with `parameters` for `account`, unless it is later than `not_after`, in monotonic seconds."""
        _not_after.set(not_after)
        arguments = {_ARGUMENTS[name]: value for name, value in parameters.items() if name in _ARGUMENTS}
        if when := parameters.get(_SEND_AT):
            arguments |= {"send_at": when, "schedule_type": "fixed"}
        try:
            message = await self._of(account).create_async(**arguments)
            return Sent(message.sid) if message.sid else Unknown("Twilio's answer has no SID")
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            return Unknown(f"Twilio's answer cannot be read: {type(error).__name__}")
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody knows more
            return outcome_of(error)

    async def listed(self, account: str, to: str, sender: str, most: int) -> list[Mapping[str, Any]] | Outcome:
        """Return the newest `most` messages to `to`, the newest first, or why there are none.

        Those from `sender` only, if that is not empty. They have Twilio's names, such as `date_created`.
        """
        _not_after.set(self._clock.monotonic() + 1)
        query = {"To": to, "PageSize": str(_PAGE)} | ({"From": sender} if sender else {})
        found: list[Mapping[str, Any]] = []
        uri = f"{_TWILIO}/2010-04-01/Accounts/{account}/Messages.json"
        try:
            while uri and len(found) < most:
                response = await self._client.request_async("GET", uri, params=query)
                if response.status_code != 200:  # noqa: PLR2004
                    return refusal_of(response.status_code, 0, "")
                page = json.loads(response.text)
                found += page["messages"]
                uri, query = _TWILIO + page["next_page_uri"] if page.get("next_page_uri") else "", {}
        except (LookupError, TypeError, ValueError) as error:
            return Unknown(f"Twilio's list cannot be read: {type(error).__name__}")
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no list
            return outcome_of(error)
        return found

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    def _of(self, account: str) -> Any:
        if account not in self._messages:
            self._messages[account] = self._client.api.v2010.accounts(account).messages
        return self._messages[account]


def outcome_of(error: BaseException) -> Outcome:
    """Return the outcome of a request that ended with `error`."""
    match error:
        case NotConnectedError():
            return NotSent(Trouble.UNREACHABLE, str(error))
        case LimitedError():
            return NotSent(Trouble.LIMITED, "Twilio limits the rate (429)", error.retry_after_s)
        case TwilioRestException():
            return refusal_of(error.status, _number(error.code), str(error.msg))
        case TwilioException():
            return refusal_of(_number(getattr(error, "status", 0)), _number(getattr(error, "code", 0)), "")
        case TimeoutError():
            return Unknown("Twilio did not answer in time")
    return Unknown(f"Twilio's answer was lost: {type(error).__name__}")


def _pairs(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the fields of a form; a list has several of one name."""
    return [
        (name, str(one)) for name, value in data.items() for one in (value if isinstance(value, list | tuple) else (value,))
    ]


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _seconds(text: str) -> float:
    return min(float(text), _LONGEST_PAUSE_S) if text.isdecimal() else 0.0
