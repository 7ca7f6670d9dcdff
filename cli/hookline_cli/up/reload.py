"""`hookline up --reload`: the processor is replaced whenever a Python file of the project changes.

    runs      until a change, or until it ends by itself
    down      it ended by itself, or could not start, because a change broke it: the next change starts it again
    replaced  the old one drains and ends, as at any SIGTERM, before the new one starts: two would share the partitions, and the
              old code would still handle half of the events

Ingress goes on meanwhile, and what it accepts waits in Redis. A change that comes while the old processor drains belongs to the
same replacement; one that comes later to the next.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from hookline_cli.admin_address import admin_headers
from hookline_cli.up.child_process import READY_TIMEOUT_S, ChildProcess, UpError, not_ready
from hookline_shared.distribution import install_command

if TYPE_CHECKING:
    from watchfiles import Change

_IGNORED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "var", "venv"})
_QUIET_MS: Final = 200
"""Changes belong together until none came for so long: a checkout writes many files, and some editors rename and write anew."""
_LONGEST_MS: Final = 5000
_POLL_S: Final = 0.05

FRESH: Final = {"PYTHONDONTWRITEBYTECODE": "1"}
"""For the environment of what is reloaded. Python takes a compiled file for that of a source with the same size and second."""


def ensure_watchfiles() -> None:
    """Raise UpError if changes cannot be noticed."""
    if find_spec("watchfiles") is None:
        raise UpError(f"--reload needs the package watchfiles, which is not installed. Install it: {install_command('reload')}")


def is_source(folder: Path, data: Path, path: Path) -> bool:
    """Whether `path` is Python code of the project in `folder`, and not in `data` or where tools keep theirs."""
    if path.suffix != ".py" or path.is_relative_to(data) or not path.is_relative_to(folder):
        return False
    return not any(part in _IGNORED or part.startswith(".") for part in path.relative_to(folder).parts)


async def changes(folder: Path, data: Path, stopping: asyncio.Event) -> AsyncIterator[set[str]]:
    """Yield the names of the source files that changed, several at a time, until `stopping` is set.

    Raises:
        UpError: if `folder` cannot be watched.

    """
    from watchfiles import awatch  # noqa: PLC0415 - only who reloads has it

    def wanted(_change: "Change", path: str) -> bool:
        return is_source(folder, data, Path(path))

    watch = awatch(folder, watch_filter=wanted, step=_QUIET_MS, debounce=_LONGEST_MS, stop_event=stopping)
    try:
        async for found in watch:
            yield {str(Path(path).relative_to(folder)) for _, path in found}
    except OSError as error:
        raise UpError(
            f"{folder} cannot be watched for changes: {str(error).rstrip('.')}. Start without --reload, "
            "or, if it has too many folders, raise fs.inotify.max_user_watches."
        ) from error


class ReloadedProcess:
    """A `ChildProcess` that is replaced when its code changes.

    `launch` starts one with the `admin_port` and `admin_token` of the settings, `print_line` prints a line for the user,
    `on_replaced` is called after the process was replaced.
    """

    def __init__(
        self,
        admin_port: int,
        admin_token: str | None,
        launch: Callable[[], Awaitable[ChildProcess]],
        print_line: Callable[[str], None],
        on_replaced: Callable[[], None],
    ) -> None:
        self._admin_port = admin_port
        self._admin_token = admin_token
        self._launch = launch
        self._print_line = print_line
        self._on_replaced = on_replaced
        self._stopping = asyncio.Event()
        self._process: ChildProcess
        self._changes: AsyncIterator[set[str]]
        self._changed: asyncio.Future[set[str]]
        self._supervision: asyncio.Task[None]

    async def start(self, folder: Path, data: Path) -> None:
        """Start the process, and replace it whenever a source in `folder` changes, except below `data`. Both are absolute.

        Raises:
            UpError: if `folder` cannot be watched.

        """
        self._changes = changes(folder, data, self._stopping)
        self._expect_changes()
        await asyncio.sleep(0)  # the watch begins in the first step of that task: before the code is read
        if self._changed.done():
            self._changed.result()
        self._process = await self._launch()
        self._supervision = asyncio.create_task(self._supervise(), name="reload")

    @property
    def name(self) -> str:
        """The name of the process."""
        return self._process.name

    @property
    def pid(self) -> int:
        """The id of the current process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is running."""
        return self._process.running

    async def ended(self) -> int:
        """Wait until watching fails. A process that ends by itself does not end the wait: the next change restarts it.

        Raises:
            UpError: if the folder cannot be watched any more.

        """
        await asyncio.shield(self._supervision)
        return await self._process.ended()

    def terminate(self) -> None:
        """Ask the process to stop; the second time, at once."""
        self._process.terminate()

    def stop_watching(self) -> None:
        """Stop replacing the process."""
        self._stopping.set()

    async def stop(self) -> None:
        """Stop the process and the replacing."""
        self.stop_watching()
        await asyncio.wait({self._supervision})  # cancelled, it might leave a process behind that nobody knows
        await self._process.stop()
        await asyncio.wait({self._changed})

    def _expect_changes(self) -> None:
        self._changed = asyncio.ensure_future(anext(self._changes, set()))

    async def _supervise(self) -> None:
        down = False
        while True:
            await self._wait(for_end=not down)
            if self._stopping.is_set():
                return
            if self._changed.done():
                down = not await self._replace(self._take_changes())
            else:
                down = True
                self._print_line(
                    f"{self.name} ended by itself with code {await self._process.ended()}; it starts again at the next change"
                )

    async def _wait(self, *, for_end: bool) -> None:
        """Wait for a change, for the stop, and with `for_end` for the end of the process."""
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._stopping.wait())]
        if for_end:
            waits.append(asyncio.ensure_future(self._process.ended()))
        await asyncio.wait([self._changed, *waits], return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()

    def _take_changes(self) -> set[str]:
        found = self._changed.result()
        self._expect_changes()
        return found

    async def _replace(self, changed: set[str]) -> bool:
        """Stop the process and start another; return False if that one ended at once."""
        changed |= await self._stop_current()
        if self._stopping.is_set():
            return True
        self._process = await self._launch()
        self._on_replaced()
        problem = await self._settle()
        if self._process.running:
            self._print_line(
                f"{named(changed)} changed: {self.name} restarted{problem and f', but it is not ready: {problem}'}"
            )
        else:
            self._print_line(
                f"{named(changed)} changed: {self.name} could not start, see above; it starts again at the next change"
            )
        return self._process.running

    async def _stop_current(self) -> set[str]:
        """Stop the process; return the changes until it has ended."""
        changed: set[str] = set()
        end = asyncio.ensure_future(self._process.stop())
        while not end.done() and not self._stopping.is_set():
            waits: list[asyncio.Future[Any]] = [end, self._changed]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if self._changed.done() and not self._stopping.is_set():
                changed |= self._take_changes()
        await end
        return changed

    async def _settle(self) -> str:
        """Wait until the process is ready, has ended or is to be replaced; return what is not ready, empty if all is."""
        until = asyncio.get_running_loop().time() + READY_TIMEOUT_S
        async with aiohttp.ClientSession(headers=admin_headers(self._admin_token)) as session:
            while problem := await not_ready(session, self._admin_port):
                if not self._process.running or self._changed.done() or self._stopping.is_set():
                    return ""
                if asyncio.get_running_loop().time() > until:
                    break
                await asyncio.sleep(_POLL_S)
        return problem


def named(changed: Collection[str]) -> str:
    """Return the first of the file names `changed`, and how many more there are."""
    first, *more = sorted(changed)
    return f"{first} and {len(more)} more" if more else first
