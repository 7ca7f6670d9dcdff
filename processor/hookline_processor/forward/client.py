"""The HTTP client of forwards: one request, one answer, with bounds on time and size."""

from collections.abc import Mapping, Sequence
from http.cookies import Morsel
from os import strerror
from typing import Final, NamedTuple

import aiohttp
from aiohttp.abc import AbstractCookieJar
from aiohttp.typedefs import LooseCookies
from yarl import URL

from hookline_processor.forward.answer import LARGEST, Answer
from hookline_processor.forward.request import AppRequest

_CONNECT_S: Final = 4.0
_KEPT_ALIVE_S: Final = 1.5
"""Servers close idle connections, some after 2 s, and a request that comes at the same moment is lost with its attempt."""
_LARGEST_HEADER: Final = 32_768
_NOWHERE: Final = URL()


class NotConnectedError(Exception):
    """There is no connection to the app. The message says why."""


class BrokenAnswerError(Exception):
    """The answer ended before its end, or is no HTTP. The message says which."""


class Exchange(NamedTuple):
    """An answer, and the cookies that it sets. `cookies_lost` is the number of those that cannot be read, or are too large."""

    answer: Answer
    cookies: Sequence[Morsel[str]]
    cookies_lost: int = 0


class _SetCookies(aiohttp.DummyCookieJar):
    """Collects the cookies of one answer. Of several with one name, `ClientResponse.cookies` has only the last, whatever their
    paths are."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Morsel[str]] = []

    def read(self, response: aiohttp.ClientResponse, sent: Sequence[str]) -> None:
        """Read `sent`, the values of the headers Set-Cookie."""
        AbstractCookieJar.update_cookies_from_headers(self, sent, response.url)  # the jar between does nothing

    def update_cookies(self, cookies: LooseCookies, _response_url: URL = _NOWHERE) -> None:
        """Keep `cookies` as they were sent, deleted ones included."""
        pairs = cookies.items() if isinstance(cookies, Mapping) else cookies
        self.found += [morsel for _, morsel in pairs if isinstance(morsel, Morsel)]


class AppClient:
    """Sends requests to apps. Make it in the event loop."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=_LARGEST_HEADER,
            max_field_size=_LARGEST_HEADER,
        )

    async def send(self, request: AppRequest, timeout_s: float) -> Exchange:
        """Send `request`, and return the answer. A redirect is an answer.

        Raises:
            NotConnectedError: if it was not sent.
            TimeoutError: if there is no whole answer within `timeout_s` seconds.
            BrokenAnswerError: if the answer is cut, or no HTTP.

        """
        if timeout_s <= 0:  # which would be no limit
            raise TimeoutError
        limits = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(_CONNECT_S, timeout_s))
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body if request.method != "GET" else None,
                headers=request.headers,
                allow_redirects=False,
                timeout=limits,
            ) as response:
                return await _read(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotConnectedError(_reason(error)) from error
        except aiohttp.ClientResponseError as error:
            raise BrokenAnswerError(f"the app's answer is no HTTP that can be read: {error.message}") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise BrokenAnswerError(f"the app closed the connection within its answer ({type(error).__name__})") from error

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


async def _read(response: aiohttp.ClientResponse) -> Exchange:
    body = b""
    while len(body) <= LARGEST and (chunk := await response.content.read(LARGEST + 1 - len(body))):
        body += chunk
    if len(body) > LARGEST:
        response.close()  # the rest is not wanted
    headers = response.headers
    answer = Answer(
        response.status,
        headers.get("Content-Type", ""),
        body[:LARGEST],
        is_cut=len(body) > LARGEST,
        is_encoded=headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"),
        retry_after=headers.get("Retry-After", "").strip(),
        location=headers.get("Location", ""),
    )
    sent, jar = headers.getall("Set-Cookie", []), _SetCookies()
    jar.read(response, sent)
    return Exchange(answer, jar.found, len(sent) - len(jar.found))


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "it does not accept connections in time"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known (DNS)"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not valid"
    number = error.os_error.errno if isinstance(error, aiohttp.ClientConnectorError) else None
    return strerror(number).lower() if number else type(error).__name__
