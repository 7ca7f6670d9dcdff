"""A disk of its own that is small enough to be full, in memory."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Path]:
    """Mount a file system of `kib` KiB at `folder`, which root alone may do; skip the test for all others."""
    folder.mkdir()
    if refused := mount(folder, kib):
        pytest.skip(f"a file system cannot be mounted here: {refused}")
    try:
        yield folder
    finally:
        unmount(folder)


def mount(folder: Path, kib: int) -> str:
    """Mount a file system of `kib` KiB at `folder`; return why that is refused, nothing if it is not."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "hookline-test", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stderr.strip() or "no reason given" if done.returncode else ""


def unmount(folder: Path) -> None:
    """Take away what `mount` has mounted; open files keep it until they are closed."""
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that is left on the disk of `folder`, as another program might; return the file."""
    path = folder / "other-program"
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))
    return path


def remount(folder: Path, mode: str) -> None:
    """Make the disk at `folder` read-only (`ro`) or writable (`rw`). No file on it may be open for writing."""
    subprocess.run(["mount", "-o", f"remount,{mode}", str(folder)], check=True)
