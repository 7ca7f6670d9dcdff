"""The tokens of subaccounts in a file that is read again when it changes, so that a new one needs no restart.

Each line is `ACxxx=token`; an account may have several during a rotation. Empty lines and lines that begin with # are ignored.
A file that cannot be used leaves the tokens as they are: they go on verifying until it is right again.
"""

import asyncio
import os
import re
from collections import Counter
from pathlib import Path
from typing import Final

from aiojobs import Job

from hookline_ingress.signatures.secrets import TOKENS_PATH, Secret
from hookline_ingress.signatures.twilio import Keyring
from hookline_shared.clock import Clock
from hookline_shared.errors import SettingsError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.observability.secrets import SECRETS

_LINE: Final = re.compile(r"(AC[0-9a-fA-F]{32})=([^\s=]{5,})")
_LOOK_S: Final = 1.0
_Version = tuple[int, int, int]
"""Inode, size and time of change."""


class TokensFile:
    """The file at `path`, whose tokens `keyring` uses. `problem` is why the file cannot be used now, None if it can."""

    def __init__(self, path: Path, keyring: Keyring, clock: Clock, logger: Logger) -> None:
        self._path = path
        self._keyring = keyring
        self._clock = clock
        self._logger = logger
        self._version: _Version | None = None
        self._job: Job[None] | None = None
        self.problem: str | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Read the file, and go on reading it when it changes.

        Raises:
            SettingsError: if it cannot be used.

        """
        await self.look()
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
        """Read the file if it has changed since the last time."""
        try:
            version = _version(self._path)
            if version == self._version:
                return
            secrets = await asyncio.to_thread(lambda: parse_tokens(self._path.read_text()))
        except OSError as error:
            self._fail(f"{TOKENS_PATH}={self._path} cannot be read: {error.strerror}. Check the path and who may read it.")
            return
        except ValueError as error:
            self._fail(f"{TOKENS_PATH}={self._path} cannot be used: {error}. Write ACxxx=token in each line.")
            return
        SECRETS.add(secret.value.decode() for secret in secrets)
        self._keyring.add_tokens(secrets)
        self._version, self.problem = version, None
        self._logger.info("tokens of accounts read", path=str(self._path), tokens=len(secrets))

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
            raise ValueError(f"line {number} is not of the form ACxxx=token (a 34-character account SID)")
        positions[pair[1]] += 1
        found.append(Secret(f"accounts{positions[pair[1]]}", pair[2].encode(), pair[1]))
    return found


def _version(path: Path) -> _Version:
    status = os.stat(path)  # noqa: PTH116 - a Path would follow the same link
    return status.st_ino, status.st_size, status.st_mtime_ns
