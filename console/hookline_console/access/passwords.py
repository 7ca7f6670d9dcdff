"""The file of people who sign in with a password.

Each line is `name:roles:hash`, with the roles comma-separated and a hash of argon2id; empty lines and lines that begin with
`#` are skipped. The file is read at each sign-in, so that a change needs no restart.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from hookline_console.access.people import Person, Role, UnknownRoleError, parse_roles
from hookline_shared.errors import HooklineError

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's least for argon2id: 19 MiB, so that several sign-ins at once do not fill the memory of the console."""
_NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""The hash of no password: checking it takes as long as that of a person, so that the time does not tell who there is."""
_LONGEST_PASSWORD: Final = 1000
_SHORTEST_PASSWORD: Final = 12
_FIELDS: Final = 3


class PasswordFileError(HooklineError):
    """The file of CONSOLE_USERS cannot be used."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"The file of CONSOLE_USERS, {path}, cannot be used: {problem}.")


class WeakPasswordError(HooklineError):
    """A password is too short or too long."""

    def __init__(self) -> None:
        super().__init__(f"A password must have {_SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters. Nothing was printed.")


class _Entry(NamedTuple):
    """One line."""

    person: Person
    password_hash: str


class PasswordFile:
    """The people in the file `path`. One password is checked at a time: it takes 19 MiB and some hundredths of a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = asyncio.Semaphore(1)

    def check(self) -> int:
        """Return how many people there are.

        Raises:
            PasswordFileError: if the file cannot be read, a line is wrong, or there is none.

        """
        if not (people := self._read()):
            raise PasswordFileError(self._path, "there is nobody in it: hookline console password NAME prints a line for it")
        return len(people)

    def knows(self, name: str) -> bool:
        """Whether there is somebody with this name.

        Raises:
            PasswordFileError: if the file cannot be read, or a line is wrong.

        """
        return name in self._read()

    async def sign_in(self, name: str, password: str) -> Person | None:
        """Return the person if the password is theirs, otherwise None.

        Raises:
            PasswordFileError: if the file cannot be read, or a line is wrong.

        """
        async with self._turn:
            return await asyncio.to_thread(self._verify, name, password)

    def _verify(self, name: str, password: str) -> Person | None:
        entry = self._read().get(name)
        good = _fits(entry.password_hash if entry else _NOBODY, password[:_LONGEST_PASSWORD])
        return entry.person if entry and good else None

    def _read(self) -> dict[str, _Entry]:
        try:
            lines = self._path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise PasswordFileError(self._path, getattr(error, "strerror", None) or "it is no text") from error
        return {entry.person.name: entry for entry in self._entries(lines)}

    def _entries(self, lines: list[str]) -> Iterator[_Entry]:
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            parts = line.strip().split(":", _FIELDS - 1)
            if len(parts) != _FIELDS or not parts[0] or not parts[2].startswith("$argon2"):
                raise PasswordFileError(self._path, f"line {number} is not name:roles:hash with a hash of argon2")
            try:
                yield _Entry(Person(parts[0], parse_roles(parts[1].split(","))), parts[2])
            except UnknownRoleError as error:
                raise PasswordFileError(self._path, f"line {number}: {str(error).rstrip('.')}") from error


def hash_line(name: str, roles: frozenset[Role], password: str) -> str:
    """Return the line of the file for a new password.

    Raises:
        WeakPasswordError: if it is too short or too long.

    """
    if not _SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise WeakPasswordError
    return f"{name}:{','.join(sorted(roles))}:{_HASHER.hash(password)}"


def _fits(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False
