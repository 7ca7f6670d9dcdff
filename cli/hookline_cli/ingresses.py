"""The ingress processes of `hookline up`. They share the port of the webhooks, and each has its own admin port and spool."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from hookline_cli.part import UpError
from hookline_ingress.settings import IngressSettings

MOST: Final = 16
_PORT_STEP: Final = 10
"""Leaves room between two admin ports for those of other services, such as the processor's 9081."""
_LARGEST_PORT: Final = 65535


class IngressProcess(NamedTuple):
    """What one process has for itself; `spool` is None if there is none."""

    name: str
    admin_port: int
    spool: Path | None

    def environment(self) -> dict[str, str]:
        """Give its own settings."""
        return {"INGRESS_ADMIN_PORT": str(self.admin_port), "INGRESS_SPOOL_PATH": str(self.spool or "")}


def plan(settings: IngressSettings, count: int, taken: int) -> list[IngressProcess]:
    """Divide `settings` among `count` processes. `taken` is the admin port of the processor.

    Raises:
        UpError: if the admin ports that this needs cannot be had.

    """
    ports = [settings.admin_port + _PORT_STEP * position for position in range(count)]
    if settings.admin_port == 0 or ports[-1] > _LARGEST_PORT or {taken, settings.port} & set(ports):
        needed = ", ".join(map(str, ports))
        raise UpError(
            f"The admin ports of ingress would be {needed}. They must be from 1 to {_LARGEST_PORT}, and neither {taken}, which "
            f"the processor has, nor {settings.port}, where webhooks come. Choose another INGRESS_ADMIN_PORT."
        )
    names = ["ingress"] if count == 1 else [f"ingress-{number}" for number in range(1, count + 1)]
    return [
        IngressProcess(name, port, settings.spool_path and spool_of(settings.spool_path, number))
        for number, (name, port) in enumerate(zip(names, ports, strict=True), start=1)
    ]


def spool_of(first: Path, number: int) -> Path:
    """Give the spool file of process `number`, counted from 1, if the first has `first`."""
    return first if number == 1 else first.with_name(f"{first.stem}-{number}{first.suffix}")


def check_left_over(first: Path, count: int) -> None:
    """Make sure that no events lie in the spool files of more than `count` processes, which an earlier start had.

    Raises:
        UpError: if some do: nobody would deliver them.

    """
    files = {number: spool_of(first, number) for number in range(count + 1, MOST + 1)}
    held = {number: events for number, file in files.items() if (events := _count_events(file))}
    if held:
        found = " and ".join(f"{events} in {files[number]}" for number, events in held.items())
        raise UpError(
            f"Events of an earlier start with more ingress processes still lie in their spools: {found}. "
            f"Start with --ingress {max(held)} once; they are delivered then."
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
            f"An earlier start may have left events in {file}, and it cannot be read: {error}. Mend that, or move it away."
        ) from error
