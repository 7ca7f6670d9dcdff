"""Writing log lines where nobody reads, or nothing can be written: nothing waits, nothing is raised, all is counted."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from hookline_shared.observability.metrics import LOG_LINES_DROPPED
from hookline_shared.observability.output import Output
from tests.support.faults.full_disk import full_disk
from tests.support.waiting import PATIENCE_S

LINE: Final = "x" * 100
MANY: Final = 20_000
"""Lines that neither a pipe nor the queue behind it takes all."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Yield a pipe that is closed after the test, unless the test does."""
    ends = os.pipe()
    yield ends
    for end in ends:
        close(end)
    for thread in threading.enumerate():
        if thread.name == "log writer":  # it drops what it has, which must not count for the next test
            thread.join(PATIENCE_S)


def close(fd: int) -> None:
    with suppress(OSError):
        os.close(fd)


def dropped() -> int:
    return LOG_LINES_DROPPED.of()


def test_line_is_written_at_once(pipe: tuple[int, int]) -> None:
    """What was written before a crash is there: nothing waits for a thread."""
    Output(pipe[1]).write_line("last words")
    assert os.read(pipe[0], 100) == b"last words\n"


def test_reader_that_is_gone(pipe: tuple[int, int]) -> None:
    """Lines to a closed pipe are dropped and counted."""
    before, output = dropped(), Output(pipe[1])
    os.close(pipe[0])
    for number in range(3):
        output.write_line(f"line {number}")
    output.flush(0)
    assert (dropped() - before, output.dropped) == (3, 3)


def test_reader_that_does_not_read(pipe: tuple[int, int]) -> None:
    """A full pipe makes nobody wait; what the queue holds comes later, whole and in order, with the number of the dropped."""
    before, output = dropped(), Output(pipe[1])
    for number in range(MANY):
        output.write_line(f"{number} {LINE}")
    missing = dropped() - before
    assert 0 < missing < MANY
    lines = read_all(pipe, output)
    kept = MANY - missing
    assert lines[:kept] == [f"{number} {LINE}" for number in range(kept)]
    assert lines[kept:] == [f"{missing} log lines were dropped"]
    assert output.dropped == 0


def read_all(pipe: tuple[int, int], output: Output) -> list[str]:
    """Read until `output` has written everything; leave the pipe open."""
    found: list[bytes] = []
    flushed = threading.Thread(target=output.flush, args=(30,))
    flushed.start()
    os.set_blocking(pipe[0], False)
    while flushed.is_alive():
        found.append(read_some(pipe[0]))
    found.append(read_some(pipe[0]))
    return b"".join(found).decode().splitlines()


def read_some(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 20)
    except BlockingIOError:
        return b""


def test_slow_reader_gets_everything(pipe: tuple[int, int]) -> None:
    """What the pipe has no room for is written by a thread as soon as it has, without another line or a flush."""
    output = Output(pipe[1])
    for number in range(2000):
        output.write_line(f"{number} {LINE}")
    with os.fdopen(pipe[0], "rb", closefd=False) as file:
        assert [int(file.readline().split()[0]) for _ in range(2000)] == list(range(2000))


def test_other_users_of_a_pipe_still_wait(pipe: tuple[int, int]) -> None:
    """The pipe itself is left as it is: other processes that share it would lose lines."""
    Output(pipe[1]).write_line("line")
    assert os.get_blocking(pipe[1])


def test_disk_that_is_full_and_has_room_again(tmp_path: Path) -> None:
    """Lines are dropped while there is no room; the first one after that follows their number."""
    before = dropped()
    with (tmp_path / "log").open("wb", buffering=0) as file:
        output = Output(file.fileno())
        output.write_line("before")
        with full_disk():
            for _ in range(5):
                output.write_line("lost")
        output.write_line("after")
    assert dropped() - before == 5
    assert (tmp_path / "log").read_text().splitlines() == ["before", "5 log lines were dropped", "after"]


def test_line_after_a_torn_one_begins_anew(tmp_path: Path) -> None:
    """A disk that takes half a line does not spoil the one that follows."""
    with (tmp_path / "log").open("wb", buffering=0) as file:
        output = Output(file.fileno())
        with full_disk(after_bytes=4):
            output.write_line("torn in two")
        output.write_line("whole")
    assert (tmp_path / "log").read_text().splitlines() == ["torn", "1 log lines were dropped", "whole"]


def test_device_without_room() -> None:
    """Nothing can ever be written, and nothing is raised."""
    before = dropped()
    with Path("/dev/full").open("wb", buffering=0) as file:
        output = Output(file.fileno())
        output.write_line("line")
        output.write(b"two\nlines\n")
        output.flush(0)
    assert dropped() - before == 3


def test_socket_that_nobody_reads() -> None:
    """The socket of a service manager is no different from a pipe."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        before, output = dropped(), Output(ours.fileno())
        for _ in range(MANY):
            output.write_line(LINE)
        assert dropped() > before
        assert ours.getblocking()
        assert theirs.recv(101).decode() == f"{LINE}\n"


def test_descriptor_that_was_closed(pipe: tuple[int, int]) -> None:
    """A closed descriptor is one that cannot be written."""
    before = dropped()
    os.close(pipe[1])
    Output(pipe[1]).write_line("line")
    assert dropped() - before == 1


def test_flush_waits_no_longer_than_it_may(pipe: tuple[int, int]) -> None:
    """The end of a process does not wait for a reader that never reads: this returns."""
    output = Output(pipe[1])
    for _ in range(MANY):
        output.write_line(LINE)
    output.flush(0.01)
    assert output.dropped


def test_lines_of_many_threads_are_whole(pipe: tuple[int, int]) -> None:
    """Threads do not cut each other's lines, and each one's come in their order."""
    output = Output(pipe[1])
    threads = [threading.Thread(target=write_numbers, args=(output, name)) for name in "abcd"]
    for thread in threads:
        thread.start()
    with os.fdopen(pipe[0], "rb", closefd=False) as file:
        lines = [file.readline().decode().split() for _ in range(4 * 500)]
    for thread in threads:
        thread.join()
    assert {len(line) for line in lines} == {3}
    for name in "abcd":
        assert [int(number) for who, number, _ in lines if who == name] == list(range(500))


def write_numbers(output: Output, name: str) -> None:
    for number in range(500):
        output.write_line(f"{name} {number} {LINE}")


def test_forked_process_begins_anew(pipe: tuple[int, int]) -> None:
    """What waits in the parent is written once, by the parent."""
    output = Output(pipe[1])
    for _ in range(MANY):
        output.write_line(LINE)
    output.forget_waiting()
    assert output.dropped == 0
    assert set(read_all(pipe, output)) == {LINE}


def test_terminal_that_is_stopped() -> None:
    """Ctrl-S on a terminal, or a window that does not read, makes nobody wait."""
    controller, terminal = os.openpty()
    try:
        before, output = dropped(), Output(terminal)
        for _ in range(MANY):
            output.write_line(LINE)
        assert dropped() > before
        assert os.get_blocking(terminal)
        assert os.read(controller, 100).decode() == LINE
    finally:
        os.close(terminal)
        os.close(controller)


def test_pipe_of_another_user(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a pipe cannot be opened a second time, nobody waits, either."""
    monkeypatch.setattr("os.open", refuse)
    output = Output(pipe[1])
    monkeypatch.undo()
    for number in range(2000):
        output.write_line(f"{number} {LINE}")
    with os.fdopen(pipe[0], "rb", closefd=False) as file:
        assert [int(file.readline().split()[0]) for _ in range(2000)] == list(range(2000))


def refuse(path: str, _flags: int) -> int:
    raise PermissionError(path)
