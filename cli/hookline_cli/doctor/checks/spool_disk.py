"""Check that the spool is on a local, permanent and writable disk with enough room."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from hookline_cli.doctor.finding import Finding, fine, problem, warning
from hookline_cli.doctor.subject import Subject

_CHECK: Final = "spool"
_MIB: Final = 1 << 20
_MOUNTS: Final = Path("/proc/self/mounts")
_REMOTE: Final = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "lustre", "9p", "afs", "fuse.sshfs", "fuse.s3fs")
_FORGETFUL: Final = ("tmpfs", "ramfs")
_LAYERED: Final = ("overlay", "aufs")
_REFUSES: Final = "While Redis is down, webhooks get a 503, and Twilio may not send them again."


async def check_spool(subject: Subject) -> list[Finding]:
    """Check the file of the spool and its disk. A test file is written and removed."""
    if subject.ingress is None:
        return []
    path = subject.ingress.spool_path
    if path is None:
        return [warning(_CHECK, "there is no spool", _REFUSES, "Set INGRESS_SPOOL_PATH to a file on a local disk.")]
    if (obstacle := _obstacle(path)) is not None:
        meaning = "Ingress will not start, or cannot store what Redis does not accept."
        return [problem(_CHECK, f"{path}: {obstacle}", meaning, "Fix that, or set INGRESS_SPOOL_PATH to another file.")]
    return list(_describe(path, subject.ingress.spool_max_mb))


def _obstacle(path: Path) -> str | None:
    """Return why `path` cannot be used, None if it can."""
    if path.is_dir():
        return "it is a folder"
    try:
        folder = _nearest(path.parent)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".hookline-doctor-") as file:
            file.write(bytes(1 << 16))
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            _read_schema(path)
    except sqlite3.OperationalError as error:
        return f"it cannot be read: {error}"
    except sqlite3.DatabaseError as error:
        return f"it is not a spool: {error}"
    except OSError as error:
        return error.strerror or str(error)
    return None


def _read_schema(path: Path) -> None:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        database.execute("SELECT 1 FROM sqlite_master").fetchone()


def _describe(path: Path, max_mb: int) -> Iterator[Finding]:
    folder = _nearest(path.parent)
    kind = file_system(folder.resolve(), _mounts())
    yield _check_persistence(path, kind)
    held = path.stat().st_size if path.exists() else 0
    free = shutil.disk_usage(folder).free
    if free < max_mb * _MIB - held:
        text = f"{free / _MIB:,.0f} MiB are free on its disk, but INGRESS_SPOOL_MAX_MB is {max_mb}"
        yield warning(
            _CHECK,
            text,
            f"The disk fills up before the spool does. {_REFUSES}",
            "Free disk space, or lower INGRESS_SPOOL_MAX_MB.",
        )
    else:
        yield fine(_CHECK, f"{free / _MIB:,.0f} MiB are free, and it takes {max_mb} at most")


def _check_persistence(path: Path, kind: str) -> Finding:
    where = f"{path}, on {kind}," if kind else str(path)
    if kind in _REMOTE:
        meaning = "File locks are not reliable over a network: the spool may be damaged, and is slow."
        return problem(
            _CHECK, f"{where} is on a network file system", meaning, "Set INGRESS_SPOOL_PATH to a file on a local disk."
        )
    if kind in _FORGETFUL:
        meaning = "Spooled events are lost when the machine restarts, although they were acknowledged to Twilio."
        return problem(_CHECK, f"{where} is in memory", meaning, "Set INGRESS_SPOOL_PATH to a file on a disk.")
    if kind in _LAYERED:
        meaning = "Spooled events are lost with the container."
        return warning(
            _CHECK, f"{where} is inside a container", meaning, "Set INGRESS_SPOOL_PATH to a file on a persistent volume."
        )
    return fine(_CHECK, f"{where} is writable")


def file_system(path: Path, mounts: list[tuple[Path, str]]) -> str:
    """Return the type of the file system of the absolute `path`, or an empty string if it is unknown.

    A later one of `mounts` hides an earlier one at the same place.
    """
    found = [(len(at.parts), number, kind) for number, (at, kind) in enumerate(mounts) if path.is_relative_to(at)]
    return max(found, default=(0, 0, ""))[2]


def _mounts() -> list[tuple[Path, str]]:
    try:
        lines = [line.split() for line in _MOUNTS.read_text().splitlines()]
    except OSError:
        return []
    return [(Path(words[1].encode().decode("unicode_escape")), words[2]) for words in lines]


def _nearest(folder: Path) -> Path:
    """Return the nearest folder that exists. Ingress would make the others."""
    while not folder.exists():
        folder = folder.parent
    return folder
