"""A real PostgreSQL server for one test, which can be killed, restarted, paused and resumed."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final, Self

import asyncpg

from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.running import RunningServer
from tests.support.waiting import PATIENCE_S, until_now

FOLDER_VARIABLE: Final = "HOOKLINE_TEST_POSTGRES"
"""Names the folder of initdb and postgres to test against, for another version."""

_USER: Final = "hookline"
_DEBIAN: Final = Path("/usr/lib/postgresql")
_STARTS: Final = 20
_SETTINGS: Final = {
    "listen_addresses": LOOPBACK,
    "fsync": "off",  # what a killed process has written, the system keeps
    "max_connections": "50",
    "shared_buffers": "32MB",
    "log_min_messages": "warning",
}
_UNPRIVILEGED: Final = ("postgres", "nobody")


class NoPostgresError(RuntimeError):
    """There is no PostgreSQL on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "NO POSTGRESQL ON THIS MACHINE, so what is only true of it is not tested. "
            f"On Debian and Ubuntu: apt-get install postgresql. Or name its bin folder with {FOLDER_VARIABLE}."
        )


@cache
def postgres_folder() -> Path:
    """Return the folder of initdb and postgres: the one that was named, the one on the PATH, or Debian's newest.

    Raises:
        NoPostgresError: if there is none.

    """
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    if on_path := shutil.which("postgres"):
        found = Path(on_path).resolve().parent
        if (found / "initdb").exists():
            return found
    installed = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not installed:
        raise NoPostgresError
    return installed[-1].parent


class PostgresServer(RunningServer):
    """A server on a loopback port and in a temporary folder of its own; both stay the same until `close`.

    PostgreSQL does not run as root, so then it runs as another user. As a context manager it starts and closes.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hookline-postgres-"))
        self.port = free_port()
        self._user = next(name for name in _UNPRIVILEGED if _exists(name)) if os.getuid() == 0 else None
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            shutil.chown(self.folder, self._user)

    def url(self, database: str) -> str:
        """Return the HOOKLINE_LEDGER_URL of `database`."""
        return f"postgresql://{_USER}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> Self:
        """Start, and wait until it answers."""
        if not self._data.exists():
            self._make()
        for _ in range(_STARTS):
            self._process = self._spawn()
            if until_now(lambda: self._process.poll() is not None or self._answers(), "postgres answers or ended"):  # type: ignore[union-attr]
                if self._process.poll() is None:
                    return self
                self.port = free_port()
        raise RuntimeError(f"postgres does not start:\n{self._log.read_text()[-2000:]}")

    def new_database(self) -> str:
        """Create an empty database; return its HOOKLINE_LEDGER_URL."""
        name = f"ledger{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, statement: str, url: str | None = None) -> None:
        """Run a statement as the superuser, in the database of `url`."""
        _execute(url or self.url("postgres"), statement)

    def kill(self) -> None:
        """Kill the server and its children, as a crash of the machine would."""
        if self._process is None:
            return
        for pid in [self._process.pid, *self._children()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(PATIENCE_S)
        self._process = None

    def pause(self) -> None:
        """Stop the server with SIGSTOP; connections stay open."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume the process."""
        self._signal_all(signal.SIGCONT)

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "postgres.log"

    def _make(self) -> None:
        words = [
            "--pgdata",
            str(self._data),
            "--username",
            _USER,
            "--auth",
            "trust",
            "--no-sync",
            "--no-locale",
            "--encoding",
            "UTF8",
        ]
        made = subprocess.run(
            [postgres_folder() / "initdb", *words],
            cwd=self.folder,
            user=self._user,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr}")

    def _spawn(self) -> "subprocess.Popen[bytes]":
        settings = _SETTINGS | {"port": str(self.port), "unix_socket_directories": str(self.folder)}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [postgres_folder() / "postgres", "-D", self._data, *words],
                cwd=self.folder,
                user=self._user,
                group=pwd.getpwnam(self._user).pw_gid if self._user else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _answers(self) -> bool:
        try:
            _execute(self.url("postgres"), "SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def _children(self) -> Iterator[int]:
        if self._process is not None:
            with suppress(FileNotFoundError):
                children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
                yield from map(int, children.split())

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._process is not None
        for pid in [self._process.pid, *self._children()]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _execute(url: str, statement: str) -> None:
    """Run a statement, in a separate thread, because the caller may have an event loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _send(url, statement)).result()


async def _send(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
