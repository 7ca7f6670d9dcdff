"""The handler of one forward: passes events on to its app, and returns what the app answers."""

import random
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urljoin, urlsplit

from hookline_processor.forward.answer import (
    LONGEST_AWAY_MS,
    Answer,
    AppError,
    AppTimeoutError,
    accepted,
    is_refusal,
    refused,
    unreachable,
)
from hookline_processor.forward.client import AppClient, BrokenAnswerError, Exchange, NotConnectedError
from hookline_processor.forward.conversation import Conversations
from hookline_processor.forward.request import AppRequest, UnsignableError, public_url_of, request_to, signed
from hookline_processor.forward.tokens import Tokens
from hookline_processor.metrics import FORWARDED
from hookline_processor.replies.live_answer import Response
from hookline_processor.replies.message import Message, Reply, UnfitError
from hookline_processor.verdicts import AwayError
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.clock import Clock
from hookline_shared.forwards import Forward

_MOST_REDIRECTS: Final = 3
_FOLLOWED: Final = (307, 308)
Returned = list[Reply | Message] | Response
_COOKIES_DROPPED: Final = "it sets cookies that are too large, too many, or not readable, which are not kept"


class Signing:
    """What signatures need: `tokens`, and the `public_urls` that Twilio calls."""

    def __init__(self, tokens: Tokens, public_urls: Sequence[str]) -> None:
        self.tokens = tokens
        self.public_urls = public_urls


class App:
    """The app of `forward`. `note` is called with what its owner should know about its answers."""

    def __init__(
        self,
        forward: Forward,
        signing: Signing,
        client: Callable[[], AppClient],
        conversations: Conversations,
        note: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self.forward = forward
        self._signing = signing
        self._client = client
        self._conversations = conversations
        self._note = note
        self._clock = clock

    async def handle(self, event: WebhookEvent, _context: object) -> Returned:
        """Pass `event` on, and return the messages that the app answers, or what Twilio gets that waits for it.

        Raises:
            AppAwayError: if the app is away.
            AppError: if it does not accept the event.
            UnfitError: if its answer cannot be carried out.

        """
        try:
            replies = await self._handle(event)
        except (AppError, AwayError, UnfitError) as error:
            FORWARDED.count("unfit" if isinstance(error, UnfitError) else "away" if isinstance(error, AwayError) else "failed")
            raise
        FORWARDED.count("accepted")
        return replies

    async def _handle(self, event: WebhookEvent) -> Returned:
        try:
            answer = await self._exchange(event)
        except UnsignableError as error:
            raise AppError(str(error)) from None
        except NotConnectedError as error:
            raise unreachable(str(error), may_wait=self._may_wait(event), jitter=_jitter()) from error
        except TimeoutError as error:
            raise AppTimeoutError(f"The app did not answer within {self.forward.timeout_s:g} s.") from error
        except BrokenAnswerError as error:
            raise AppError(f"{str(error)[0].upper()}{str(error)[1:]}.") from error
        if not 200 <= answer.status < 300 and not is_refusal(event, answer):  # noqa: PLR2004
            raise refused(answer, may_wait=self._may_wait(event), jitter=_jitter())
        found = accepted(event, answer, public_url_of(event.raw, self._token(event), self._signing.public_urls))
        if found.finding:
            self._note(found.finding)
        return found.response or found.replies

    async def _exchange(self, event: WebhookEvent) -> Answer:
        """Send the request, follow redirects to the same origin, and return the answer."""
        token = self._token(event)
        request = request_to(self.forward, event.raw, token, self._signing.public_urls)
        cookies = await self._conversations.cookies(self.forward, event.raw)
        deadline = self._clock.monotonic() + self.forward.timeout_s
        for _ in range(_MOST_REDIRECTS + 1):
            exchange = await self._client().send(cookies.added_to(request), deadline - self._clock.monotonic())
            if cookies.take(request.url, exchange.cookies) + exchange.cookies_lost:
                self._note(_COOKIES_DROPPED)
            if (url := self._redirect(request, exchange)) is None:
                break
            request = signed(request._replace(url=url), event.raw, token)
        await cookies.keep()
        return exchange.answer

    def _redirect(self, request: AppRequest, exchange: Exchange) -> str | None:
        """Return the URL to which the answer to `request` leads, None if it is no redirect that may be followed."""
        answer = exchange.answer
        if answer.status not in _FOLLOWED or not answer.location or self.forward.sign != "target":
            return None
        url = urljoin(request.url, answer.location).partition("#")[0]
        parts = urlsplit(url)
        return url if f"{parts.scheme}://{parts.netloc.lower()}" == self.forward.origin else None

    def _token(self, event: WebhookEvent) -> str | None:
        return self._signing.tokens.token_of(event.raw.account, event.raw.signer)

    def _may_wait(self, event: WebhookEvent) -> bool:
        return self._clock.now_ms() - event.raw.received_at < LONGEST_AWAY_MS


def _jitter() -> float:
    return random.random()  # noqa: S311 - spreads requests, guards nothing
