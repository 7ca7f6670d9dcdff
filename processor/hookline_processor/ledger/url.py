"""HOOKLINE_LEDGER_URL: what people write, and what SQLAlchemy is told. Pure, and without SQLAlchemy."""

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
_SQLALCHEMYS: Final = "prepared_statement_cache_size"
"""The one option that is not for the driver, which reads the others as libpq does."""
_PASSWORDS: Final = frozenset({"password", "sslpassword"})
_EXAMPLES: Final = "write postgresql://user:password@host:port/database or sqlite:///path/to/ledger.db"


class DatabaseUrl(NamedTuple):
    """A database. `url` is SQLAlchemy's, `file` the path of SQLite's, None for a server; `options` go to the driver."""

    url: str
    file: str | None
    secrets: tuple[str, ...]
    options: str = ""


def parse_database_url(text: str) -> DatabaseUrl:
    """Read HOOKLINE_LEDGER_URL.

    Raises:
        ValueError: saying what is wrong with it, or which package is missing; it does not quote the URL.

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
        odd_port = parts.netloc.endswith(":") or parts.port == 0
    except ValueError:
        odd_port = True
    if odd_port:
        raise ValueError(
            "it is not a URL, or its port is not a number up to 65535; characters like @ and / in a password are %-escaped"
        )
    if not parts.path.strip("/"):
        raise ValueError(f"it names no database; {_EXAMPLES}")
    options = parse_qsl(parts.query)
    own = [(name, value) for name, value in options if name == _SQLALCHEMYS]
    drivers = [("sslmode" if name == "ssl" else name, value) for name, value in options if name != _SQLALCHEMYS]
    whole = parts._replace(scheme=dialect, query=urlencode(own), fragment="")
    secrets = {parts.password or "", unquote(parts.password or ""), *(value for name, value in options if name in _PASSWORDS)}
    return DatabaseUrl(urlunsplit(whole), None, tuple(sorted(secrets - {""})), urlencode(drivers))


def _require(*modules: str) -> None:
    if missing := [name for name in modules if find_spec(name) is None]:
        raise ValueError(f"{' and '.join(missing)} is not installed: run {install_command(_EXTRAS[missing[-1]])}")
