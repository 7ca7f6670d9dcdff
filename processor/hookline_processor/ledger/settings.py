"""The settings of the ledger, for the processor and for `hookline ledger`."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, ClassVar
from urllib.parse import unquote, urlsplit

from msgspec import Meta

from hookline_processor.ledger.body_policy import BodyPolicy
from hookline_processor.ledger.url import parse_database_url
from hookline_shared.settings.base import SharedSettings
from hookline_shared.settings.fallbacks import Fallback
from hookline_shared.validation import AtLeastOne, Check, Positive, SettingsGroup, Variable


def _database(url: str) -> str:
    parse_database_url(url)
    return url


def _obstacle(url: str) -> str:
    try:
        parse_database_url(url)
    except ValueError as error:
        return str(error)
    return ""


class LedgerSettings(SettingsGroup, frozen=True, kw_only=True):
    """The settings of the ledger and its database. Without a `url` there is no ledger."""

    url: Annotated[
        str | None,
        Check(_database),
        Variable(
            "HOOKLINE_LEDGER_URL",
            "URL of the ledger: postgresql://user:password@host:port/database or sqlite:///path. Without it, no ledger is kept",
            secret=True,
        ),
    ] = None
    pool_size: Annotated[
        AtLeastOne, Variable("DATABASE_POOL_SIZE", "Number of connections to the database that are kept open")
    ] = 2
    pool_overflow: Annotated[
        int, Meta(ge=0), Variable("DATABASE_POOL_OVERFLOW", "Number of further connections, which are closed after use")
    ] = 1
    pool_timeout_s: Annotated[Positive, Variable("DATABASE_POOL_TIMEOUT_S", "Seconds to wait for a free connection")] = 5
    pool_recycle_s: Annotated[
        int, Meta(gt=0), Variable("DATABASE_RECYCLE_S", "Age in seconds at which a connection is replaced")
    ] = 1800
    connect_timeout_s: Annotated[
        Positive,
        Variable(
            "DATABASE_CONNECT_TIMEOUT_S",
            "Time limit in seconds for connecting to the database, and for waiting for other writers of SQLite",
        ),
    ] = 5
    command_timeout_s: Annotated[
        Positive, Variable("DATABASE_COMMAND_TIMEOUT_S", "Time limit in seconds for a batch in the database")
    ] = 10
    breaker_failures: Annotated[
        AtLeastOne,
        Variable(
            "DATABASE_BREAKER_FAILURES",
            "Consecutive failures that open the circuit breaker of the database; a successful probe closes it",
        ),
    ] = 3
    batch: Annotated[
        int,
        Meta(ge=1, le=10_000),
        Variable("LEDGER_BATCH", "Largest number of events that are written to the database in one transaction"),
    ] = 500
    backlog_limit: Annotated[
        AtLeastOne,
        Variable(
            "LEDGER_BACKLOG_LIMIT",
            "Largest number of settled events that wait for the database, in all partitions together. Above it, "
            "the processor handles no more events. Above a tenth of it, the service warns",
        ),
    ] = 1_000_000
    bodies: Annotated[
        BodyPolicy,
        Variable(
            "LEDGER_BODIES",
            "What the ledger stores of message bodies and other content: keep (the text), hash (only a hash) or drop (nothing)",
        ),
    ] = BodyPolicy.KEEP
    retention_days: Annotated[
        Positive | None,
        Variable(
            "LEDGER_RETENTION_DAYS",
            "Days after which the processor removes events, messages and calls from the ledger. Without it, never",
        ),
    ] = None


class SettingsWithLedger(SharedSettings, frozen=True, kw_only=True):
    """The settings of those who use the ledger: the processor, and `hookline ledger`."""

    fallbacks: ClassVar[tuple[Fallback, ...]] = (
        Fallback(
            "DATABASE_URL",
            "HOOKLINE_LEDGER_URL",
            "Used as HOOKLINE_LEDGER_URL if that is not set. Some platforms set it for the application. If it cannot be used "
            "for the ledger, it is ignored, and the log says so. HOOKLINE_LEDGER_URL= (empty) disables it",
            _obstacle,
            empty_refuses=True,
        ),
    )

    ledger: LedgerSettings

    def secrets(self) -> tuple[str, ...]:
        """Return the values that must never be logged."""
        database = parse_database_url(self.ledger.url).secrets if self.ledger.url else ()
        return (*super().secrets(), *database, *self._ignored_passwords())

    def _ignored_passwords(self) -> Iterator[str]:
        """Yield the passwords in URLs that are for somebody else: the user's own library may log them."""
        for one in self.ignored():
            with suppress(ValueError):
                password = urlsplit(str(one.value)).password
                if password:
                    yield from (password, unquote(password))
