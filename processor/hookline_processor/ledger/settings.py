"""The settings of the ledger, for the processor and for `hookline ledger`."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, ClassVar
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field

from hookline_processor.ledger.body_policy import BodyPolicy
from hookline_processor.ledger.url import parse_database_url
from hookline_shared.settings.base import SharedSettings
from hookline_shared.settings.fallbacks import Fallback
from hookline_shared.validation import SettingsGroup


def _database(url: str) -> str:
    parse_database_url(url)
    return url


def _obstacle(url: str) -> str:
    try:
        parse_database_url(url)
    except ValueError as error:
        return str(error)
    return ""


class LedgerSettings(SettingsGroup):
    """The settings of the ledger and its database. Without a `url` there is no ledger."""

    url: Annotated[str, AfterValidator(_database)] | None = Field(
        None,
        validation_alias="HOOKLINE_LEDGER_URL",
        description="URL of the ledger: postgresql://user:password@host:port/database or sqlite:///path. Without it, no "
        "ledger is kept",
        repr=False,
    )
    pool_size: int = Field(
        2, validation_alias="DATABASE_POOL_SIZE", description="Number of connections to the database that are kept open", ge=1
    )
    pool_overflow: int = Field(
        1,
        validation_alias="DATABASE_POOL_OVERFLOW",
        description="Number of further connections, which are closed after use",
        ge=0,
    )
    pool_timeout_s: float = Field(
        5, validation_alias="DATABASE_POOL_TIMEOUT_S", description="Seconds to wait for a free connection", gt=0
    )
    pool_recycle_s: int = Field(
        1800, validation_alias="DATABASE_RECYCLE_S", description="Age in seconds at which a connection is replaced", gt=0
    )
    connect_timeout_s: float = Field(
        5,
        validation_alias="DATABASE_CONNECT_TIMEOUT_S",
        description="Time limit in seconds for connecting to the database, and for waiting for other writers of SQLite",
        gt=0,
    )
    command_timeout_s: float = Field(
        10, validation_alias="DATABASE_COMMAND_TIMEOUT_S", description="Time limit in seconds for a batch in the database", gt=0
    )
    breaker_failures: int = Field(
        3,
        validation_alias="DATABASE_BREAKER_FAILURES",
        description="Consecutive failures that open the circuit breaker of the database; a successful probe closes it",
        ge=1,
    )
    batch: int = Field(
        500,
        validation_alias="LEDGER_BATCH",
        description="Largest number of events that are written to the database in one transaction",
        ge=1,
        le=10_000,
    )
    backlog_limit: int = Field(
        1_000_000,
        validation_alias="LEDGER_BACKLOG_LIMIT",
        description="Largest number of settled events that wait for the database, in all partitions together. Above it, the "
        "processor handles no more events. Above a tenth of it, the service warns",
        ge=1,
    )
    bodies: BodyPolicy = Field(
        BodyPolicy.KEEP,
        validation_alias="LEDGER_BODIES",
        description="What the ledger stores of message bodies and other content: keep (the text), hash (only a hash) or drop "
        "(nothing)",
    )
    retention_days: float | None = Field(
        None,
        validation_alias="LEDGER_RETENTION_DAYS",
        description="Days after which the processor removes events, messages and calls from the ledger. Without it, never",
        gt=0,
    )


class SettingsWithLedger(SharedSettings):
    """The settings of those who use the ledger: the processor, and `hookline ledger`."""

    fallbacks: ClassVar = (
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
