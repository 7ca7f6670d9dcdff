"""Where the console reads from: Redis and the ledger, through what the commands use."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from hookline_cli.ledger.database import find_ledger
from hookline_cli.redis_session import RedisSession, RedisSessionError, connect, find_session
from hookline_shared.errors import BrokerUnavailableError, HooklineError
from hookline_shared.settings.base import SharedSettings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

Result = TypeVar("Result")

_TIMEOUT_S: Final = 10.0


class NoLedgerError(HooklineError):
    """There is no ledger."""

    def __init__(self) -> None:
        super().__init__(
            "There is no ledger, so settled events leave no trace. Set HOOKLINE_LEDGER_URL for the processors and for the "
            "console, and see docs/ledger.md."
        )


class LedgerAwayError(HooklineError):
    """The ledger did not answer in time."""

    def __init__(self) -> None:
        super().__init__(f"The ledger's database did not answer within {_TIMEOUT_S:g} s. Everything else works meanwhile.")


AWAY: Final = (BrokerUnavailableError, RedisSessionError, LedgerAwayError)
"""The errors of what does not answer, which is no mistake of whoever asked."""


class RedisSource:
    """The Redis of the services, with connections that live as long as the console."""

    def __init__(self, settings: SharedSettings) -> None:
        self._settings = settings
        self.redis = connect(settings)

    async def session(self) -> RedisSession:
        """Return a session for one page.

        Raises:
            RedisSessionError: if Redis does not answer, or no service has ever used it.

        """
        return await find_session(self.redis, self._settings)

    async def close(self) -> None:
        """Close the connections."""
        await self.redis.close()


class LedgerSource:
    """The ledger of the settings, or of the `hookline up` whose data is in the folder `data`."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._engine: AsyncEngine | None = None

    @property
    def exists(self) -> bool:
        """Whether there is a ledger."""
        return find_ledger(self._data).url is not None

    def require(self) -> None:
        """Raise an error if there is no ledger: before anything is imported that only a ledger needs, which takes 28 MB.

        Raises:
            NoLedgerError: if there is none.

        """
        if not self.exists:
            raise NoLedgerError

    async def ask(self, work: "Callable[[AsyncEngine], Awaitable[Result]]") -> Result:
        """Return the result of `work`, which reads.

        Raises:
            NoLedgerError: if there is none.
            LedgerAwayError: if it does not answer in time.
            HooklineError: if it cannot be used.

        """
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await work(await self._usable())
        except TimeoutError as error:
            raise LedgerAwayError from error

    async def close(self) -> None:
        """Close the connections."""
        if self._engine is not None:
            from hookline_processor.ledger.database.engine import close  # noqa: PLC0415 - an extra

            await close(self._engine)

    async def _usable(self) -> "AsyncEngine":
        if self._engine is not None:
            return self._engine
        self.require()
        from hookline_processor.ledger.database.engine import database_of, make_engine  # noqa: PLC0415 - an extra
        from hookline_processor.ledger.database.store import Store  # noqa: PLC0415

        settings = find_ledger(self._data)
        file = database_of(settings).file
        if file is not None and not await asyncio.to_thread(Path(file).exists):  # connecting would create it
            raise HooklineError(f"The ledger's file {file} does not exist yet: a processor with a ledger creates it.")
        engine = make_engine(settings)
        await Store(engine).probe()
        self._engine = engine
        return engine
