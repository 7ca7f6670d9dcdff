"""Twilio as the sender sees it: which account sends with which credentials, and its API, loaded for the first message."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hookline_processor.media.addresses import Credentials
from hookline_processor.sender.outcomes import Outcome
from hookline_processor.sender.settings import SenderSettings
from hookline_shared.catalogue.media import Media, MediaRequest
from hookline_shared.clock import Clock

if TYPE_CHECKING:
    from hookline_processor.media.fetcher import HttpMediaFetcher
    from hookline_processor.sender.twilio_api import TwilioApi

_MOST_LISTED: Final = 200
_MOST_KNOWN: Final = 1000
"""Accounts whose credentials are remembered. There may be any number of subaccounts, which share those of their account."""


class Twilio:
    """Twilio's API with the credentials in `settings`."""

    most_listed = _MOST_LISTED

    def __init__(self, settings: SenderSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._apis: dict[Credentials, asyncio.Future[TwilioApi]] = {}
        self._known: dict[str, Credentials | None] = {}
        self._fetcher: HttpMediaFetcher | None = None
        self.timeout_s = settings.timeout_s
        self.status_callback = settings.status_callback

    def has_credentials(self, account: str) -> bool:
        """Whether messages of an account, which may be empty, can be sent."""
        return self._credentials(account) is not None

    @property
    def sends(self) -> bool:
        """Whether messages of any account can be sent."""
        return self._settings.complete

    def account(self, account: str) -> str:
        """Return the account that sends for `account`, which may be empty."""
        return account or self._settings.default_account

    async def create(self, account: str, parameters: Mapping[str, Any], not_after: float) -> Outcome:
        """Send the message with `parameters` for `account`, unless it is later than `not_after`, in monotonic seconds."""
        return await (await self._api(account)).create(account, parameters, not_after)

    async def listed(self, account: str, to: str, sender: str) -> list[Mapping[str, Any]] | Outcome:
        """Return the newest messages to `to`, from `sender` if that is not empty, the newest first; or why there are none."""
        return await (await self._api(account)).listed(account, to, sender, self.most_listed)

    async def fetch_media(self, request: MediaRequest) -> Media:
        """Return what a webhook names.

        Raises:
            MediaError: if it cannot be fetched, or not yet.
            MediaTooLargeError: if it is too large.

        """
        if self._fetcher is None:
            from hookline_processor.media.fetcher import HttpMediaFetcher  # noqa: PLC0415

            self._fetcher = HttpMediaFetcher(self._credentials, self._settings.api_url, self._clock)
        return await self._fetcher(request)

    async def close(self) -> None:
        """Close all connections."""
        if self._fetcher is not None:
            await self._fetcher.close()
        for loading in self._apis.values():
            if loading.done() and not loading.cancelled():
                await loading.result().close()

    def _credentials(self, account: str) -> Credentials | None:
        """Return the credentials of an account, which are asked for at every message: they are read from files once."""
        name = self.account(account)
        if name not in self._known and len(self._known) < _MOST_KNOWN:
            self._known[name] = self._settings.credentials(name)
        return self._known[name] if name in self._known else self._settings.credentials(name)

    async def _api(self, account: str) -> "TwilioApi":
        """Return the API with the credentials of `account`. Several accounts may share some."""
        credentials = self._credentials(account) or Credentials("", "")
        if credentials not in self._apis:
            self._apis[credentials] = asyncio.ensure_future(self._load(credentials))
        return await asyncio.shield(self._apis[credentials])

    async def _load(self, credentials: Credentials) -> "TwilioApi":
        await asyncio.to_thread(_import_api)  # which takes so long that other handlers would wait
        from hookline_processor.sender.twilio_api import TwilioApi  # noqa: PLC0415

        return TwilioApi(*credentials, self._settings.api_url, self._settings.timeout_s, self._clock)


def _import_api() -> None:
    import hookline_processor.sender.twilio_api  # noqa: F401, PLC0415
