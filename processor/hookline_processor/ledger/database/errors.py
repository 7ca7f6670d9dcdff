"""Errors of the database, in one line each, with what to do."""

import re
import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from hookline_processor.ledger.database.schema import REVISION
from hookline_shared.errors import HooklineError

MIGRATE: Final = "run `hookline ledger migrate`"


class DatabaseUnavailableError(HooklineError):
    """The database cannot be used now. `needs_operator` is whether only an operator can fix it."""

    def __init__(self, message: str, *, needs_operator: bool = False) -> None:
        self.needs_operator = needs_operator
        super().__init__(message)


class RowRefusedError(HooklineError):
    """The database refused a value of a row. Its transaction was rolled back."""


_OPERATOR_ERRORS: Final = {
    "28": "The database refuses the user or the password: check HOOKLINE_LEDGER_URL",
    "3D000": "There is no such database on the server: create it, or check HOOKLINE_LEDGER_URL",
    "42501": "The database user lacks a permission ({detail}): grant it, or let the tables' owner " + MIGRATE,
    "42P01": "The ledger's tables are missing: " + MIGRATE,
    "42704": "The database does not know an option of HOOKLINE_LEDGER_URL ({detail}): leave it out",
    "42P07": "The database has tables of the same names that are not the ledger's ({detail}): give the ledger one of its own",
    "42703": "The ledger's tables are not those of this version: " + MIGRATE,
    "25006": "The database is read-only, a standby perhaps: let HOOKLINE_LEDGER_URL name the primary",
}
"""By prefix of the SQLSTATE of PostgreSQL."""

_SQLITE_ERRORS: Final = {
    "no such table": "The ledger's tables are missing: " + MIGRATE,
    "no such column": "The ledger's tables are not those of this version: " + MIGRATE,
    "has no column": "The ledger's tables are not those of this version: " + MIGRATE,
    "already exists": "The database has tables of the same names that are not the ledger's: give the ledger a file of its own",
    "unable to open": "The database's file cannot be opened: its folder must be there and writable; check HOOKLINE_LEDGER_URL",
    "readonly": "The database's file may not be written: check its owner and permissions",
    "not a database": "The file that HOOKLINE_LEDGER_URL names is no SQLite database: name another one",
    "disk is full": "The disk of the database is full: make room",
}
"""By substring of the message of SQLite."""

_ROW_ERRORS: Final = ("22", "23", "54")
"""SQLSTATE classes about values: data, constraints, and limits."""


def translate(error: BaseException) -> HooklineError:
    """Return Hookline's error for `error` from SQLAlchemy, a driver or the network. Values of rows are never quoted."""
    if isinstance(error, HooklineError):
        return error
    cause, state = _cause_of(error)
    if is_about_a_row(error, cause, state):
        return RowRefusedError(f"{type(cause).__name__} {state}".strip())
    return unavailable(error)


def unavailable(error: BaseException) -> DatabaseUnavailableError:
    """Return Hookline's error for `error` before any row was sent, so that no row can be the cause."""
    cause, state = _cause_of(error)
    if message := _operator_message(cause, state):
        return DatabaseUnavailableError(message, needs_operator=True)
    return DatabaseUnavailableError(f"The database request failed: {_description(error, cause)}")


def _cause_of(error: BaseException) -> tuple[BaseException, str]:
    """Return the error of the driver, and its SQLSTATE or an empty string."""
    cause = getattr(error, "orig", None) or error
    return cause, getattr(cause, "sqlstate", None) or getattr(cause.__cause__, "sqlstate", None) or ""


def is_about_a_row(error: BaseException, cause: BaseException, state: str) -> bool:
    """Whether the cause is a value rather than the database."""
    if state:
        return state.startswith(_ROW_ERRORS)
    if isinstance(cause, sqlite3.Error):
        return isinstance(cause, sqlite3.DataError | sqlite3.IntegrityError | sqlite3.InterfaceError)
    if isinstance(cause, OSError | PoolTimeoutError):
        return False
    if isinstance(error, StatementError) and not isinstance(error, DBAPIError):
        return True  # the value could not be sent
    return isinstance(cause, ValueError | TypeError | OverflowError | RecursionError) or "DataError" in _names(cause)


def _names(cause: BaseException) -> set[str]:
    """Return the class names of `cause` and the error that it wraps. Classes of drivers are not imported here."""
    return {kind.__name__ for one in (cause, cause.__cause__) for kind in type(one).__mro__}


def _operator_message(cause: BaseException, state: str) -> str | None:
    text = str(cause)
    if state:
        message = next((message for code, message in _OPERATOR_ERRORS.items() if state.startswith(code)), None)
        return message and message.format(detail=_first_line(text))
    if isinstance(cause, sqlite3.Error):
        return next((message for part, message in _SQLITE_ERRORS.items() if part in text), None)
    return None


def _description(error: BaseException, cause: BaseException) -> str:
    if isinstance(error, PoolTimeoutError):
        return "all connections of the pool are busy"
    if isinstance(cause, TimeoutError):
        return "it timed out"
    if isinstance(cause, OSError):
        return cause.strerror or _first_line(str(cause)) or type(cause).__name__
    return _first_line(str(cause)) or type(cause).__name__


def _first_line(text: str) -> str:
    """Return the first line of a driver message, without the class name that SQLAlchemy puts before it."""
    line = text.strip().partition("\n")[0]
    return re.sub(r"^<class '[^']*'>: ", "", line)[:200]


def wrong_revision(found: str | None) -> DatabaseUnavailableError:
    """Return the error for tables of revision `found`; None means that there are no tables."""
    if found is None:
        message = f"The ledger's tables are missing: {MIGRATE}"
    elif found < REVISION:
        message = f"The ledger's tables are at revision {found}, but this version needs {REVISION}: {MIGRATE}"
    else:
        message = f"The ledger's tables are at revision {found}, from a newer version of Hookline: update this one"
    return DatabaseUnavailableError(message, needs_operator=True)
