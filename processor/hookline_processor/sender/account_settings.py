"""`[[accounts]]` in the TOML file: the credentials of further accounts that send messages."""

import re
from pathlib import Path
from typing import Annotated, Final

from hookline_processor.media.addresses import Credentials
from hookline_shared.tables import TableList, tables_reader
from hookline_shared.validation import Check, Read, SettingsTable

_ACCOUNT: Final = re.compile(r"AC[0-9a-fA-F]{32}")
_KEY: Final = re.compile(r"SK[0-9a-fA-F]{32}")


def check_account(sid: str) -> str:
    """Return `sid` if it is the SID of an account, else raise ValueError."""
    if not _ACCOUNT.fullmatch(sid):
        raise ValueError("it must be the SID of an account, AC and 32 hexadecimal digits")
    return sid


def check_key(sid: str) -> str:
    """Return `sid` if it is the SID of an API key, else raise ValueError."""
    if not _KEY.fullmatch(sid):
        raise ValueError("it must be the SID of an API key, SK and 32 hexadecimal digits; without one, leave it out")
    return sid


def check_secret(secret: str) -> str:
    """Return `secret` if it may be one, else raise ValueError."""
    if any(character.isspace() for character in secret):
        raise ValueError("it has white space in it; an API key's secret and an auth token have none")
    return secret


def _file(path: str) -> str:
    _secret_in(path)
    return path


def _secret_in(path: str) -> str:
    """Return the secret in the file at `path`, or raise ValueError. It is read at each start, and not kept in the settings."""
    try:
        secret = Path(path).read_text().strip()
    except (OSError, ValueError) as error:
        raise ValueError(f"the file {path} cannot be read: {getattr(error, 'strerror', 'it is no text')}") from None
    if not secret:
        raise ValueError(f"the file {path} is empty")
    return check_secret(secret)


class AccountSettings(SettingsTable, frozen=True, kw_only=True):
    """The credentials of one account. They are used for this account alone."""

    sid: Annotated[str, Check(check_account)]
    """The account."""
    api_key: Annotated[str | None, Check(check_key)] = None
    """An API key of it; without one, the secret is its auth token."""
    api_secret_file: Annotated[str, Check(_file)]
    """The file with the secret."""

    def credentials(self) -> Credentials:
        """Return the credentials, as they are in the file now."""
        return Credentials(self.api_key or self.sid, _secret_in(self.api_secret_file))


_WRITTEN: Final = TableList("accounts", "account", unique="sid", quotes=False)
AccountsSetting = Annotated[tuple[AccountSettings, ...], Read(tables_reader(AccountSettings, _WRITTEN))]
"""All of `[[accounts]]`, no two of them for one account."""
