"""Files that the spool cannot use, and how it says so."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hookline_ingress.spool.spool import SpoolError
from hookline_shared.topics import MESSAGES
from tests.support.ingress.spools import Opener
from tests.support.processor.events import event


def not_a_database(path: Path) -> Path:
    path.write_bytes(b"Dear diary, " * 1000)
    return path


def other_schema(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 7")
    return path


def other_program(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE events (title TEXT)")
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def below_a_file(path: Path) -> Path:
    path.touch()
    return path / "spool.db"


def unwritable_path(path: Path) -> Path:
    return Path("/proc/hookline") / path.name


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (not_a_database, "not a database"),
        (other_schema, "schema 7, not 1"),
        (other_program, "another program's"),
        (folder, "unable to open"),
        (below_a_file, "exists|Not a directory"),
        (unwritable_path, "No such file|Permission"),
    ],
)
async def test_unusable_file_is_told(opened: Opener, tmp_path: Path, spoil: Callable[[Path], Path], reason: str) -> None:
    """What cannot be the spool's file stops it from opening, with the path, the reason and the remedy in one line."""
    path = spoil(tmp_path / "found.db")
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(SpoolError, match=reason) as failure:
        await opened(path)
    assert f"The spool {path} cannot be used" in str(failure.value)
    assert "INGRESS_SPOOL_PATH" in str(failure.value)
    assert before == (path.read_bytes() if path.is_file() else None)


async def test_file_of_another_ingress_is_told(opened: Opener, path: Path) -> None:
    """Two processes never share a file; it is free again as soon as the first one is gone."""
    first = await opened()
    with pytest.raises(SpoolError, match="another ingress uses it") as failure:
        await opened()
    assert str(path) in str(failure.value)
    await first.close()
    second = await opened()
    await second.put(MESSAGES, event())
