"""The environments of the peers: each has its own, pinned, beside its code, made when it is first needed."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.errors import BenchError

_PEERS: Final = Path(__file__).parent
_INSTALL_TIMEOUT_S: Final = 600
_PINNED: Final = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.IGNORECASE)


class NotInstalledError(BenchError):
    """A peer could not be installed; it is left out."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} could not be installed and is left out: {why}")


class PythonEnvironment:
    """`.venv` in `folder`, which is under bench/peers unless it is absolute, made from the requirements.txt there."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = _PEERS / folder
        self._wanted = self._folder / "requirements.txt"
        self._home = self._folder / ".venv"

    def is_ready(self) -> bool:
        """Whether what is pinned is installed."""
        return _is_stamped(self._home, self._wanted)

    def install(self) -> None:
        """Make the environment.

        Raises:
            NotInstalledError: if that fails.

        """
        _run(self._folder.name, [sys.executable, "-m", "venv", "--clear", str(self._home)], self._folder)
        pip = [self._bin("pip"), "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        _run(self._folder.name, [*pip, "--requirement", str(self._wanted)], self._folder)
        _stamp(self._home, self._wanted)

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the command that runs a program of the environment."""
        return [self._bin(program), *arguments]

    def version(self, package: str) -> str:
        """Return the pinned version of `package`."""
        pins = (_PINNED.match(line) for line in self._wanted.read_text().splitlines())
        return next((pin[2] for pin in pins if pin and pin[1] == package), "?")

    def _bin(self, program: str) -> str:
        return str(self._home / "bin" / program)


class OwnEnvironment:
    """Hookline's own: for what needs nothing that Hookline does not have."""

    def is_ready(self) -> bool:
        """Report that it is there."""
        return True

    def install(self) -> None:
        """Do nothing."""

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the command that runs a program of the environment."""
        return [str(Path(sys.executable).with_name(program)), *arguments]

    def version(self, package: str) -> str:
        """Return the installed version of `package`."""
        from importlib.metadata import version  # noqa: PLC0415

        return version(package)


class NodeEnvironment:
    """`bench/peers/<folder>/node_modules`, made from its package-lock.json."""

    def __init__(self, folder: str) -> None:
        self._folder = _PEERS / folder
        self._wanted = self._folder / "package-lock.json"
        self._home = self._folder / "node_modules"

    def is_ready(self) -> bool:
        """Whether what is locked is installed."""
        return shutil.which("node") is not None and _is_stamped(self._home, self._wanted)

    def install(self) -> None:
        """Make node_modules.

        Raises:
            NotInstalledError: if that fails, or there is no Node.

        """
        if shutil.which("npm") is None or shutil.which("node") is None:
            raise NotInstalledError(self._folder.name, "there is no Node.js with npm")
        _run(self._folder.name, ["npm", "ci", "--silent", "--no-audit", "--no-fund"], self._folder)
        _stamp(self._home, self._wanted)

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the command that runs a script of the folder."""
        return ["node", str(self._folder / program), *arguments]

    def version(self, package: str) -> str:
        """Return the locked version of `package`."""
        packages = json.loads(self._wanted.read_text())["packages"]
        return str(packages.get(f"node_modules/{package}", {}).get("version", "?"))


Environment = PythonEnvironment | OwnEnvironment | NodeEnvironment


def _run(name: str, command: Sequence[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True, timeout=_INSTALL_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        raise NotInstalledError(name, (error.stderr or error.stdout).strip()[-500:]) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(name, str(error)) from error


def _stamp(home: Path, wanted: Path) -> None:
    (home / ".bench").write_text(_digest(wanted))


def _is_stamped(home: Path, wanted: Path) -> bool:
    stamp = home / ".bench"
    return stamp.exists() and stamp.read_text() == _digest(wanted)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
