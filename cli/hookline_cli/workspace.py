"""The data folder of `hookline up`, from which the other commands read what runs."""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

import msgspec

from hookline_shared.errors import HooklineError

_MAX_SOCKET_PATH: Final = 100
"""The path of a Unix socket may have 107 bytes; Redis needs some of them during its start."""


class AlreadyRunningError(HooklineError):
    """Another `hookline up` uses the same folder."""

    def __init__(self, folder: Path, processes: str) -> None:
        super().__init__(
            f"Hookline is already running with its data in {folder}/ (process ids: {processes or 'not known yet'}). "
            "Stop it with Ctrl-C, or choose another folder with --data. If it was killed, end those processes first."
        )


class UnusableFolderError(HooklineError):
    """The folder cannot be used."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(f"{folder} cannot be used as the data folder: {error.strerror}. Choose another one with --data.")


class StackFacts(msgspec.Struct, frozen=True):
    """What other commands need to know of the local stack that runs. Secrets that the user set are not saved: then
    `auth_token` or `redis_url` is empty. `settings` are those of its environment that are no secrets."""

    public_url: str = ""
    auth_token: str = ""
    redis_url: str = ""
    admin_ports: dict[str, int] = {}
    local_url: str = ""
    settings: dict[str, str] = {}


class Workspace:
    """The folder `path`, created if it is missing, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None

    @property
    def redis_data(self) -> Path:
        """Where the embedded Redis keeps its append-only file."""
        return self.path / "redis"

    @property
    def redis_socket(self) -> Path:
        """Where the embedded Redis listens: in the folder, unless its path is too long for a socket."""
        inside = self.path.resolve() / "redis.sock"
        if len(os.fsencode(inside)) <= _MAX_SOCKET_PATH:
            return inside
        return Path(tempfile.gettempdir()) / f"hookline-{os.getuid()}-{os.getpid()}.sock"

    @property
    def spool(self) -> Path:
        """The spool of the first ingress."""
        return self.path / "spool.db"

    @property
    def ledger(self) -> Path:
        """The ledger, unless HOOKLINE_LEDGER_URL names another database."""
        return self.path / "ledger.db"

    def create(self) -> None:
        """Create the folder, for its owner only. One that is there keeps its mode; all that is put into it is private itself.

        Raises:
            OSError: if it cannot be created.

        """
        is_new = not self.path.exists()
        self.redis_data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_new:
            self.path.chmod(0o700)

    def lock(self) -> None:
        """Create the folder and lock it for this process.

        Raises:
            AlreadyRunningError: if another process has it.
            UnusableFolderError: if it cannot be created or written.

        """
        try:
            self.create()
            self._lock = (self.path / "lock").open("a+")
        except OSError as error:
            raise UnusableFolderError(self.path, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            raise AlreadyRunningError(self.path, self._lock.read()) from None

    @property
    def lock_descriptor(self) -> int:
        """The lock's file descriptor. A child that inherits it keeps the folder locked even if this process is killed."""
        if self._lock is None:
            raise RuntimeError("lock() was not called")
        return self._lock.fileno()

    def note_processes(self, pids: Iterable[int]) -> None:
        """Write the process ids that use the folder, for the error message of another `hookline up`."""
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.write(" ".join(map(str, pids)))
            self._lock.flush()

    def development_token(self) -> str:
        """Return the auth token for tests, created at the first start and then kept."""
        file = self.path / "auth-token"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_hex(16))
        return file.read_text()

    def announce(self, facts: StackFacts) -> None:
        """Save `facts` for the other commands."""
        self._announcement.write_bytes(msgspec.json.format(msgspec.json.encode(facts)))

    def withdraw(self) -> None:
        """Delete what `announce` saved: nothing is running any more."""
        self._announcement.unlink(missing_ok=True)

    def announced(self) -> StackFacts:
        """Return what `announce` saved last, empty if there is nothing."""
        try:
            return msgspec.json.decode(self._announcement.read_bytes(), type=StackFacts)
        except (OSError, msgspec.DecodeError):
            return StackFacts()

    @property
    def _announcement(self) -> Path:
        return self.path / "up.json"
