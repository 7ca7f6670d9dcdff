"""The ingress processes of `hookline up`. They share the webhook port; each has its own admin port and spool."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from hookline_cli.up.child_process import UpError
from hookline_ingress.settings import IngressSettings

MOST: Final = 16
_PORT_STEP: Final = 10
"""The distance between two admin ports, which leaves room for those of other services, such as the processor's 9081."""
_LARGEST_PORT: Final = 65535


class IngressProcess(NamedTuple):
    """The settings of one process; `spool` is None if it has none."""

    name: str
    admin_port: int
    spool: Path | None

    def environment(self) -> dict[str, str]:
        """Return its settings as environment variables."""
        return {"INGRESS_ADMIN_PORT": str(self.admin_port), "INGRESS_SPOOL_PATH": str(self.spool or "")}


def plan(settings: IngressSettings, count: int, taken: int) -> list[IngressProcess]:
    """Divide `settings` among `count` processes. `taken` is the admin port of the processor.

    Raises:
        UpError: if the admin ports that this needs are not available.

    """
    ports = [settings.admin_port + _PORT_STEP * position for position in range(count)]
    if settings.admin_port == 0 or ports[-1] > _LARGEST_PORT or {taken, settings.port} & set(ports):
        needed = ", ".join(map(str, ports))
        raise UpError(
            f"The admin ports of ingress would be {needed}. They must be from 1 to {_LARGEST_PORT}, and neither {taken} (the "
            f"processor's admin port) nor {settings.port} (webhooks). Choose another INGRESS_ADMIN_PORT."
        )
    names = ["ingress"] if count == 1 else [f"ingress-{number}" for number in range(1, count + 1)]
    return [
        IngressProcess(name, port, settings.spool_path and spool_of(settings.spool_path, number))
        for number, (name, port) in enumerate(zip(names, ports, strict=True), start=1)
    ]


def spool_of(first: Path, number: int) -> Path:
    """Return the spool file of process `number`, counted from 1, if the first has `first`."""
    return first if number == 1 else first.with_name(f"{first.stem}-{number}{first.suffix}")


def check_left_over(first: Path, count: int) -> None:
    """Check that an earlier start with more than `count` processes left no events in their spool files.

    Raises:
        UpError: if it did: no process would deliver them.

    """
    files = {number: spool_of(first, number) for number in range(count + 1, MOST + 1)}
    held = {number: events for number, file in files.items() if (events := _count_events(file))}
    if held:
        found = " and ".join(f"{events} in {files[number]}" for number, events in held.items())
        raise UpError(
            f"An earlier start with more ingress processes left events in their spools: {found}. "
            f"Start once with --ingress {max(held)} to deliver them."
        )


def _count_events(file: Path) -> int:
    try:
        if not file.exists():
            return 0
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone():
                return 0
            (events,) = database.execute("SELECT count(*) FROM events").fetchone()
            return int(events)
    except (OSError, sqlite3.Error) as error:
        raise UpError(
            f"An earlier start may have left events in {file}, which cannot be read: {error}. Fix that, or move the file away."
        ) from error
