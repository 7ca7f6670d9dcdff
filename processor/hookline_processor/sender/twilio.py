"""Twilio as the sender sees it: which account sends with which credentials, and its API, loaded for the first message."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hookline_processor.sender.outcomes import Outcome
from hookline_processor.sender.settings import SenderSettings
from hookline_shared.catalogue.media import Media, MediaRequest
from hookline_shared.clock import Clock

if TYPE_CHECKING:
    from hookline_processor.media.fetcher import HttpMediaFetcher
    from hookline_processor.sender.twilio_api import TwilioApi

_MOST_LISTED: Final = 200


class Twilio:
    """Twilio's API with the credentials in `settings`."""

    most_listed = _MOST_LISTED

    def __init__(self, settings: SenderSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._loading: asyncio.Future[TwilioApi] | None = None
        self._fetcher: HttpMediaFetcher | None = None
        self.timeout_s = settings.timeout_s
        self.status_callback = settings.status_callback

    def has_credentials(self, _account: str) -> bool:
        """Whether messages of an account can be sent. The credentials are for one account and its subaccounts."""
        return self._settings.complete

    def account(self, account: str) -> str:
        """Return the account that sends for `account`, which may be empty."""
        return account or self._settings.account_sid or ""

    async def create(self, account: str, parameters: Mapping[str, Any], not_after: float) -> Outcome:
        """Send the message with `parameters` for `account`, unless it is later than `not_after`, in monotonic seconds."""
        return await (await self._api()).create(account, parameters, not_after)

    async def listed(self, account: str, to: str, sender: str) -> list[Mapping[str, Any]] | Outcome:
        """Return the newest messages to `to`, from `sender` if that is not empty, the newest first; or why there are none."""
        return await (await self._api()).listed(account, to, sender, self.most_listed)

    async def fetch_media(self, request: MediaRequest) -> Media:
        """Return what a webhook names.

        Raises:
            MediaError: if it cannot be fetched, or not yet.
            MediaTooLargeError: if it is too large.

        """
        if self._fetcher is None:
            from hookline_processor.media.fetcher import HttpMediaFetcher  # noqa: PLC0415

            self._fetcher = HttpMediaFetcher(self._settings.credentials, self._settings.api_url, self._clock)
        return await self._fetcher(request)

    async def close(self) -> None:
        """Close all connections."""
        if self._fetcher is not None:
            await self._fetcher.close()
        if self._loading is not None and self._loading.done() and not self._loading.cancelled():
            await self._loading.result().close()

    async def _api(self) -> "TwilioApi":
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load())
        return await asyncio.shield(self._loading)

    async def _load(self) -> "TwilioApi":
        await asyncio.to_thread(_import_api)  # which takes so long that other handlers would wait
        from hookline_processor.sender.twilio_api import TwilioApi  # noqa: PLC0415

        settings = self._settings
        username = settings.api_key or settings.account_sid or ""
        return TwilioApi(username, settings.api_secret or "", settings.api_url, settings.timeout_s, self._clock)


def _import_api() -> None:
    import hookline_processor.sender.twilio_api  # noqa: F401, PLC0415
