"""Fetching a server from Debian with apt's own tools, without root and without installing anything.

apt gets a state of its own in the target folder. Where the packages are, and whom to trust, the machine's own sources tell.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hookline_shared.errors import HooklineError

_SOURCES: Final = Path("/etc/apt/sources.list.d")
_LIBRARIES: Final = ("liblzf1", "libjemalloc2", "libatomic1")
"""What the servers need beyond what every Debian has."""


class NotFetchedError(HooklineError):
    """The server cannot be fetched from Debian."""


def fetch(package: str, command: str, suite: str, folder: Path) -> Path:
    """Return the program `command` of `package` in `suite`, unpacked in `folder`, where it is kept.

    Raises:
        NotFetchedError: saying why not.

    """
    program = folder / "run"
    if program.exists():
        return program
    if missing := [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]:
        raise NotFetchedError(f"{' and '.join(missing)} would be needed to fetch it from Debian.")
    shutil.rmtree(folder, ignore_errors=True)
    apt = _private_apt(folder / "apt", suite)
    _run(["apt-get", "--quiet", "update"], folder, apt)
    _run(["apt-get", "--quiet", "download", f"{package}/{suite}", *_LIBRARIES], folder, apt)
    for archive in folder.glob("*.deb"):
        _run(["dpkg-deb", "--extract", archive.name, "root"], folder, apt)
    return _wrap(folder, program, command)


def _private_apt(folder: Path, suite: str) -> Mapping[str, str]:
    """Prepare a state for apt in `folder`; return the environment in which apt uses it."""
    for name in ("lists/partial", "cache/archives/partial", "sources"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources" / "debian.sources").write_text(_source(suite))
    settings = {
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": folder / "sources",
        "APT::Sandbox::User": "",
    }
    config = folder / "apt.conf"
    config.write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    return {**os.environ, "APT_CONFIG": str(config)}


def _source(suite: str) -> str:
    """Return the first of the machine's own sources that is Debian's main archive, with `suite` beside its own."""
    for file in sorted(_SOURCES.glob("*.sources")):
        for stanza in file.read_text().split("\n\n"):
            suites = re.search(r"^Suites: (\S+)", stanza, re.MULTILINE)
            if suites and suite.startswith(suites[1]):
                wanted = " ".join(dict.fromkeys((suites[1], suite)))
                return re.sub(r"^Suites: .*$", f"Suites: {wanted}", stanza, flags=re.MULTILINE) + "\n"
    raise NotFetchedError(f"apt has no source here from which {suite} could be had.")


def _wrap(folder: Path, program: Path, command: str) -> Path:
    """Write `program`, which becomes the server (its process id stays), with its libraries."""
    root = folder / "root"
    server = root / "usr" / "bin" / command
    if not server.exists():  # the package of the tools has it under another name
        server.symlink_to(f"{command.partition('-')[0]}-check-rdb")
    libraries = ":".join(str(path) for path in sorted({file.parent for file in root.rglob("*.so*")}))
    program.write_text(f'#!/bin/sh\nexec env LD_LIBRARY_PATH="{libraries}" "{server}" "$@"\n')
    program.chmod(0o755)
    return program


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotFetchedError(f"{' '.join(command[:3])} failed: {done.stderr.strip().splitlines()[-1:]}")
