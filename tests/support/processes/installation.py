"""A new virtual environment, for installations as users make them."""

import os
import subprocess
import sys
from pathlib import Path


class Installation:
    """A virtual environment in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        run(sys.executable, "-m", "venv", str(folder))

    @property
    def hookline(self) -> Path:
        """The command."""
        return self._folder / "bin" / "hookline"

    @property
    def packages(self) -> Path:
        """Where the packages are."""
        (found,) = self._folder.glob("lib/python3.*/site-packages")
        return found

    def install(self, *words: str, folder: Path | None = None) -> None:
        """Run `pip install` in `folder`."""
        self.python("-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words, folder=folder)

    def python(self, *words: str, folder: Path | None = None) -> str:
        """Run its Python in `folder`; return what it wrote."""
        return run(str(self._folder / "bin" / "python"), *words, folder=folder)

    def size_mib(self) -> float:
        """Return the space on disk, as `du` counts it, in MiB."""
        return sum(file.lstat().st_blocks for file in self._folder.rglob("*")) * 512 / 2**20


def run(*words: str, folder: Path | None = None, **variables: str) -> str:
    """Run a program without the settings of this clone; return what it wrote. It fails with that if the program does."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        words, cwd=folder, env=kept | variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}"
    return done.stdout
