"""The tokens of subaccounts in a file that is read again when it changes, so that a new one needs no restart.

Each line is `ACxxx=token`; an account may have several during a rotation. Empty lines and lines that begin with # are ignored.
A file that cannot be used leaves the tokens as they are: they go on verifying until it is right again. Twilio does not repeat a
webhook that is refused, so a file that is being written must not count, even for a second:

    changed   another version than the one in use. It is read if it is still the same at the next look
    read      if it is the same version after reading as before; its tokens are used
    bad       it has a wrong line, or no tokens although there were some. It is not read again until it changes
"""

import asyncio
import os
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Final

from aiojobs import Job

from hookline_ingress.signatures.secrets import TOKENS_PATH, Secret, normal_sid
from hookline_ingress.signatures.twilio import Keyring
from hookline_shared.clock import Clock
from hookline_shared.errors import SettingsError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.observability.secrets import SECRETS

_LINE: Final = re.compile(r"(AC[0-9a-fA-F]{32})=([0-9a-f]{32})")
_MOST_OF_ONE: Final = 4
"""Tokens of one account: all of them are tried. Twilio has two during a rotation."""
_MOST_BYTES: Final = 1 << 24
_LOOK_S: Final = 1.0
_Version = tuple[int, int, int, int]
"""Inode, size, and times of change of the content and of anything."""


class TokensFile:
    """The file at `path`, whose tokens `keyring` uses. `problem` is why the file cannot be used now, None if it can."""

    def __init__(self, path: Path, keyring: Keyring, clock: Clock, logger: Logger) -> None:
        self._path = path
        self._keyring = keyring
        self._clock = clock
        self._logger = logger
        self._version: _Version | None = None
        self._looked: _Version | None = None
        self._bad: _Version | None = None
        self._tokens = 0
        self._job: Job[None] | None = None
        self.problem: str | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Read the file, and go on reading it when it changes.

        Raises:
            SettingsError: if it cannot be used.

        """
        await self.look()
        await self.look()
        if self.problem is None and self._version is None:
            self._fail(f"{TOKENS_PATH}={self._path} was written while it was read. Start again, and replace it as a whole.")
        if self.problem is not None:
            raise SettingsError([self.problem])
        self._job = await supervisor.spawn("tokens file", self._run())

    async def stop(self) -> None:
        """Stop reading it."""
        if self._job is not None:
            await self._job.close()

    def warnings(self) -> list[str]:
        """Return why the file cannot be used now."""
        return [self.problem] if self.problem else []

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(_LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Read the file if it has changed since the last time, and is the same as at the last look: it may be being written."""
        try:
            version = _version(os.stat(self._path))  # noqa: PTH116 - a Path would follow the same link
            if version == self._version:
                self.problem = None
            elif version not in (self._looked, self._bad):
                self._looked = version
            elif version != self._bad:
                await self._read(version)
        except OSError as error:
            self._fail(f"{TOKENS_PATH}={self._path} cannot be read: {error.strerror}. Check the path and who may read it.")
        except ValueError as error:
            self._bad = version
            self._fail(f"{TOKENS_PATH}={self._path} cannot be used: {error}. Write ACxxx=token in each line.")

    async def _read(self, version: _Version) -> None:
        """Use the tokens in the file, if it still is `version`."""
        content = await asyncio.to_thread(_content, self._path, version)
        if content is None:
            return
        tokens = await asyncio.to_thread(parse_tokens, content)
        if self._tokens and not tokens:
            raise ValueError(f"it has no token any more, and had {self._tokens}")
        secrets = await asyncio.to_thread(self._keyring.with_tokens, tokens)
        await asyncio.to_thread(SECRETS.add, [token.value.decode() for token in tokens])
        self._keyring.use(secrets)
        self._version, self._bad, self._tokens, self.problem = version, None, len(tokens), None
        self._logger.info("tokens of accounts read", path=str(self._path), tokens=len(tokens))

    def _fail(self, problem: str) -> None:
        if self.problem != problem:
            self._logger.error(
                "tokens of accounts not read", error=problem, remedy="the tokens that were read last stay in use"
            )
        self.problem = problem


def parse_tokens(text: str) -> list[Secret]:
    """Return the tokens in the lines of `text`, named accounts1, accounts2, … by their position within their account.

    Raises:
        ValueError: naming the first line that is wrong, without quoting it.

    """
    found: list[Secret] = []
    positions: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        if not (token := line.strip()) or token.startswith("#"):
            continue
        pair = _LINE.fullmatch(token)
        if pair is None:
            raise ValueError(f"line {number} is not of the form ACxxx=token (a 34-character SID, 32 hexadecimal digits)")
        account = str(normal_sid(pair[1]))
        positions[account] += 1
        if positions[account] > _MOST_OF_ONE:
            raise ValueError(f"line {number} has token {positions[account]} of its account, and {_MOST_OF_ONE} are the most")
        found.append(Secret(f"accounts{positions[account]}", pair[2].encode(), account))
    return found


def _content(path: Path, version: _Version) -> str | None:
    """Return the text of the file, None if it is no longer `version` or changes meanwhile.

    Raises:
        ValueError: if it is no file, or too large.

    """
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            raise ValueError(f"it is no regular file, or has more than {_MOST_BYTES} bytes")
        content = file.read(_MOST_BYTES)
        same = _version(status) == _version(os.fstat(file.fileno())) == version
    return content.decode() if same else None


def _without_waiting(path: str, flags: int) -> int:
    """Open a pipe at once, too, instead of waiting for who writes into it."""
    return os.open(path, flags | os.O_NONBLOCK)


def _version(status: os.stat_result) -> _Version:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
