"""What the processor has for messages: the handler that sends them, and what it learns from status callbacks.

A status callback has the token of its message in the query of its URL, which is signed. So it tells exactly which message has
which SID.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from hookline_processor.api.table import Handler
from hookline_processor.metrics import CLOSED_ACCOUNTS, MESSAGES, MESSAGES_IN_DOUBT
from hookline_processor.retry_policy import RetryPolicy
from hookline_processor.sender.accounts import Accounts
from hookline_processor.sender.lookup import LOOKS_S
from hookline_processor.sender.sender import LATEST_S, Sender
from hookline_processor.sender.settings import SenderSettings
from hookline_processor.sender.twilio_client import Twilio
from hookline_shared.catalogue.media import Media, MediaRequest
from hookline_shared.catalogue.products.messaging import MessageStatus
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.event import Event
from hookline_shared.observability.logs import Logger
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.outbox import Marks, Place
from hookline_shared.streams.ownership.lease import Fence

_NAME: Final = "hookline.sender"
_IN_QUERY: Final = re.compile(r"[?&]hl=(\d{1,4})\.([A-Za-z0-9_-]{22})(?:&|$)")
_RETRY: Final = RetryPolicy(max_attempts=20, base=2.0, max=60.0)
"""For errors that nobody expects. All others are outcomes, which use up no attempts."""


class Outbox:
    """Sends messages with `sender` by way of `twilio`, for `accounts`."""

    def __init__(
        self, sender: Sender, marks: Marks, twilio: Twilio, accounts: Accounts, partitions: int, logger: Logger
    ) -> None:
        attempt_s = LATEST_S + 3 * twilio.timeout_s  # a look, and another request
        self.handler = Handler(_NAME, sender.send, attempt_s, _RETRY, is_async=True)
        self.accounts = accounts
        self.sender = sender
        self.marks = marks
        self._twilio = twilio
        self._partitions = partitions
        self._logger = logger

    def expects(self, event: Event) -> bool:
        """Whether `event` is the status callback of a message from the outbox."""
        return event.kind == MessageStatus.kind and place_in(event.target) is not None

    async def note(self, event: Event) -> bool:
        """Note which SID the message has, if its outcome is unknown. Return False if Redis did not answer."""
        place = place_in(event.target)
        if place is None or place.partition >= self._partitions:
            return True
        try:
            await self._note(place, MessageStatus(event))
        except BrokerUnavailableError as error:
            self._logger.debug("status callback waits for redis", error=str(error))
            return False
        return True

    def longest_timeout(self) -> float:
        """Return the time-out of an attempt to send in seconds, 0 if there are no credentials, so that none is made."""
        return (self.handler.timeout_s or 0.0) if self._twilio.sends else 0.0

    def warnings(self) -> list[str]:
        """Return why messages are not sent that somebody has to do something about, one text for each problem."""
        texts = [f"messages of {account or 'no account'} wait: {why}" for account, why in self.accounts.problems().items()]
        if doubts := len(self.sender.doubts()):
            texts.append(f"messages in doubt: {doubts}. They are looked for before they are sent again; see docs/replies.md")
        return texts

    async def fetch_media(self, request: MediaRequest) -> Media:
        """Return what a webhook names. Raise `MediaError` if it cannot be fetched."""
        return await self._twilio.fetch_media(request)

    async def close(self) -> None:
        """Close the connections to Twilio."""
        await self._twilio.close()

    async def _note(self, place: Place, status: MessageStatus) -> None:
        mark, sid = await self.marks.read(place), status.message_sid
        if not sid or not mark.is_sending or mark.account != status.account_sid:
            return
        if await self.marks.claim(sid, place.token):
            await self.marks.sent(place, mark.account, sid)
            MESSAGES.count("called_back")


def place_in(target: str) -> Place | None:
    """Return the place that a status callback names in the path and query that Twilio called, None if it names none."""
    found = _IN_QUERY.search(target)
    return Place(int(found[1]), found[2]) if found else None


def build_outbox(
    settings: SenderSettings,
    redis: RedisConnectionManager,
    fences: Mapping[int, Fence],
    partitions: int,
    lease_s: float,
    clock: Clock,
    logger: Logger,
    looks_s: Sequence[float] = LOOKS_S,
) -> Outbox:
    """Return the outbox of a processor that owns the partitions in `fences`, which may change.

    Its leases last `lease_s` seconds. One is renewed while more than half of it is left, so no request has to wait for that.
    """
    twilio = Twilio(settings, clock)
    accounts = Accounts(twilio.has_credentials, clock, logger)
    marks = Marks(redis, partitions)
    resend = settings.on_unknown == "resend"
    needed_s = min(settings.timeout_s, lease_s / 2)
    CLOSED_ACCOUNTS.set_function(lambda: len(accounts.problems()))
    sender = Sender(marks, fences, partitions, twilio, accounts, clock, logger, needed_s, resend=resend, looks_s=looks_s)
    MESSAGES_IN_DOUBT.set_function(lambda: len(sender.doubts()))
    return Outbox(sender, marks, twilio, accounts, partitions, logger)
