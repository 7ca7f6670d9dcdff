"""Parsing HOOKLINE_LEDGER_URL into the URL of SQLAlchemy. Pure, and without importing SQLAlchemy."""

from importlib.util import find_spec
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from hookline_shared.distribution import install_command

_EXTRAS: Final = {"asyncpg": "postgres", "aiosqlite": "ledger", "sqlalchemy": "ledger", "alembic": "ledger"}
_DIALECTS: Final = {
    "postgresql": ("postgresql+asyncpg", "asyncpg"),
    "postgres": ("postgresql+asyncpg", "asyncpg"),
    "postgresql+asyncpg": ("postgresql+asyncpg", "asyncpg"),
    "sqlite": ("sqlite+aiosqlite", "aiosqlite"),
    "sqlite+aiosqlite": ("sqlite+aiosqlite", "aiosqlite"),
}
_SQLALCHEMY_OPTION: Final = "prepared_statement_cache_size"
"""The only option for SQLAlchemy. The driver reads the others as libpq does."""
_PASSWORDS: Final = frozenset({"password", "sslpassword"})
_EXAMPLES: Final = "write postgresql://user:password@host:port/database or sqlite:///path/to/ledger.db"


class DatabaseUrl(NamedTuple):
    """A database: the `url` for SQLAlchemy, the `file` of SQLite (None for a server), and the `options` of the driver."""

    url: str
    file: str | None
    secrets: tuple[str, ...]
    options: str = ""


def parse_database_url(text: str) -> DatabaseUrl:
    """Return the database of `text`, the value of HOOKLINE_LEDGER_URL.

    Raises:
        ValueError: if it is invalid or a package is missing. The message does not quote the URL, which may have a password.

    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in _DIALECTS:
        raise ValueError(f"it is neither of PostgreSQL nor of SQLite; {_EXAMPLES}")
    dialect, driver = _DIALECTS[scheme.lower()]
    _require("sqlalchemy", "alembic", driver)
    if driver == "aiosqlite":
        return _sqlite(dialect, rest)
    return _postgresql(dialect, text)


def _sqlite(dialect: str, rest: str) -> DatabaseUrl:
    file = rest.removeprefix("/").partition("?")[0]
    if not rest.startswith("/") or not file or file.startswith(":memory:"):
        raise ValueError("it names no file: write sqlite:///relative/path.db or sqlite:////absolute/path.db")
    return DatabaseUrl(f"{dialect}://{rest}", file, ())


def _postgresql(dialect: str, text: str) -> DatabaseUrl:
    try:
        parts = urlsplit(text)
        malformed = parts.netloc.endswith(":") or parts.port == 0
    except ValueError:
        malformed = True
    if malformed:
        raise ValueError(
            "it is not a URL, or its port is not a number up to 65535; characters like @ and / in a password are %-escaped"
        )
    if not parts.path.strip("/"):
        raise ValueError(f"it names no database; {_EXAMPLES}")
    options = parse_qsl(parts.query)
    sqlalchemy_options = [(name, value) for name, value in options if name == _SQLALCHEMY_OPTION]
    driver_options = [("sslmode" if name == "ssl" else name, value) for name, value in options if name != _SQLALCHEMY_OPTION]
    url = parts._replace(scheme=dialect, query=urlencode(sqlalchemy_options), fragment="")
    secrets = {parts.password or "", unquote(parts.password or ""), *(value for name, value in options if name in _PASSWORDS)}
    return DatabaseUrl(urlunsplit(url), None, tuple(sorted(secrets - {""})), urlencode(driver_options))


def _require(*modules: str) -> None:
    if missing := [name for name in modules if find_spec(name) is None]:
        raise ValueError(f"{' and '.join(missing)} is not installed: run {install_command(_EXTRAS[missing[-1]])}")
