"""The code of an earlier version, from the project's own git history."""

import subprocess
import tarfile
import tomllib
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

from bench.errors import BenchError
from bench.system.processes import ROOT

NOW: Final = "now"
"""What the working tree is called among the versions."""
_HISTORY: Final = Path(__file__).with_name("history.toml")
_SOURCES: Final = ("", "ingress", "processor", "shared", "cli")
"""The folders from which Python imports, relative to the root."""


class Version(NamedTuple):
    """A version to measure. `commit` is whatever git can resolve; `name` is what is shown."""

    name: str
    commit: str


class Source(NamedTuple):
    """The code of a version in `root`."""

    name: str
    root: Path

    def variables(self) -> dict[str, str]:
        """Return the environment variables with which Python imports this code and no other."""
        return {"PYTHONPATH": ":".join(str(self.root / folder) for folder in _SOURCES)}


class UnknownVersionError(BenchError):
    """Git has no such commit here. `said` is its own message."""

    def __init__(self, version: Version, said: str) -> None:
        super().__init__(
            f"The code of {version.name} ({version.commit}) cannot be had: {said or 'git says nothing'}. The comparison needs "
            "a clone with its history: `git fetch --unshallow`, or `git fetch origin` for a branch."
        )


def recorded() -> list[Version]:
    """Return the versions of `history.toml`, the oldest first."""
    table = tomllib.loads(_HISTORY.read_text())
    return [Version(one["name"], one["commit"]) for one in table["version"]]


def working_tree() -> Source:
    """Return the code as it is now, whether committed or not."""
    return Source(NOW, ROOT)


def extract(version: Version, directory: Path) -> Source:
    """Write the code of `version` below `directory`; the working tree and its index are left alone.

    Raises:
        UnknownVersionError: if git does not have it.

    """
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", version.commit]
    try:
        result = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise UnknownVersionError(version, "there is no git on this machine") from None
    if result.returncode:
        raise UnknownVersionError(version, result.stderr.decode(errors="replace").strip())
    root = directory / f"version-{version.commit.replace('/', '-')}"
    with tarfile.open(fileobj=BytesIO(result.stdout)) as archive:
        archive.extractall(root, filter="data")
    return Source(version.name, root)
