"""Asking for the room on a disk, which may never answer."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from hookline_shared.alerts.disk_space import DiskSpace

_PATIENCE_S = 10.0


class Usage(NamedTuple):
    free: int


class SlowVolume:
    """What answers only when a test lets it. `questions` counts."""

    def __init__(self) -> None:
        self.questions = 0
        self._may_answer = threading.Event()

    def disk_usage(self, _folder: Path) -> Usage:
        self.questions += 1
        assert self._may_answer.wait(_PATIENCE_S)
        return Usage(3 << 20)

    def hangs(self) -> None:
        """Let nobody have an answer from now on."""
        self._may_answer.clear()

    def answers(self) -> None:
        """Let whoever asks have an answer from now on."""
        self._may_answer.set()


@pytest.fixture
def volume(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowVolume]:
    volume = SlowVolume()
    monkeypatch.setattr(shutil, "disk_usage", volume.disk_usage)
    yield volume
    volume.answers()


def threads() -> list[threading.Thread]:
    """Return those that ask."""
    return [thread for thread in threading.enumerate() if thread.name == "free space on the disk of the spool"]


def let_them_end() -> None:
    for thread in threads():
        thread.join(_PATIENCE_S)


def test_room_is_known_at_the_second_look(tmp_path: Path) -> None:
    """The first asks."""
    disk = DiskSpace("spool", tmp_path / "spool.db")
    disk(0)
    let_them_end()
    found = disk(1)
    assert found is not None
    assert found["spool"] == pytest.approx(shutil.disk_usage(tmp_path).free / (1 << 20), abs=1024)


def test_volume_that_hangs_holds_nobody_up(volume: SlowVolume, tmp_path: Path) -> None:
    """One thread waits for it, for as long as that takes; until then nothing is known."""
    disk = DiskSpace("spool", tmp_path / "spool.db")
    assert [disk(look) for look in range(100)] == [None] * 100
    (thread,) = threads()
    assert thread.daemon
    volume.answers()
    let_them_end()
    disk(100)  # that answer is of long ago, but one more is asked for now
    let_them_end()
    assert disk(101) == {"spool": 3}


def test_old_answer_tells_nothing(volume: SlowVolume, tmp_path: Path) -> None:
    """It is asked for every tenth look; when there has been no new one for sixty, it is not known any more."""
    disk = DiskSpace("spool", tmp_path / "spool.db")
    volume.answers()
    for look in range(20):
        disk(look)
        let_them_end()
    assert volume.questions == 2
    volume.hangs()
    found = [disk(look) for look in range(20, 100)]
    assert found == [{"spool": 3}] * 50 + [None] * 30


def test_folder_that_is_gone(tmp_path: Path) -> None:
    """The spool says so; this says nothing."""
    disk = DiskSpace("spool", tmp_path / "away" / "spool.db")
    disk(0)
    let_them_end()
    assert disk(1) is None
