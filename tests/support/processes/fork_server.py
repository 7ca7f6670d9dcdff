"""A process that has imported a service, and becomes it in a fork of itself for each request.

`python -m tests.support.processes.fork_server <package> <fd>`: requests come through the socket `fd` until that is closed. Each
is an eight-byte length and as much JSON, with three file descriptors: where the process id and in the end the exit code are
written, standard output, and standard error. From then on the fork does what `python -m <package>` does, its end included.
"""

import array
import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import sys
import threading
from typing import Any, Final

LENGTH_BYTES: Final = 8


def main() -> None:
    """Serve; in a fork, run the service."""
    package, fd = sys.argv[1:]
    for name in ("main", "app"):
        importlib.import_module(f"{package}.{name}")
    assert threading.active_count() == 1, "a fork would be without the other threads"
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how the forks that only wait have ended
    requests = socket.socket(fileno=int(fd))
    path = sys.path[1:]
    while (request := _next(requests)) is not None:
        wanted, descriptors = request
        if os.fork() == 0:
            requests.close()
            _run_watched(descriptors)
            sys.path[:] = [*wanted["environment"]["PYTHONPATH"].split(os.pathsep), *path]
            _become(wanted)
            runpy.run_module(package, run_name="__main__", alter_sys=True)
            return
        for descriptor in descriptors:
            os.close(descriptor)


def _next(requests: socket.socket) -> "tuple[dict[str, Any], array.array[int]] | None":
    """Wait for a request; return it with its file descriptors, None if there will be no more."""
    head, descriptors, _, _ = socket.recv_fds(requests, LENGTH_BYTES, 3)
    if not head:
        return None
    left, body = int.from_bytes(head, "big"), b""
    while len(body) < left:
        body += requests.recv(left - len(body))
    return json.loads(body), array.array("i", descriptors)


def _run_watched(descriptors: "array.array[int]") -> None:
    """Fork again: the fork returns, with its standard streams; this process writes down how that one ends, and ends."""
    status, output, errors = descriptors
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(status)
        for descriptor, stream in ((output, 1), (errors, 2)):
            os.dup2(descriptor, stream)
            os.close(descriptor)
        return
    for descriptor in (output, errors, 1, 2):
        os.close(descriptor)
    os.write(status, b"%d\n" % pid)
    os.write(status, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os._exit(0)


def _become(wanted: dict[str, Any]) -> None:
    """Take over the folder, the environment, the output and the signals that a new process would have."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(wanted["folder"])
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as Python does for `-m`
    os.environ.clear()
    os.environ.update(wanted["environment"])
    if wanted["environment"].get("PYTHONUNBUFFERED"):
        raw = io.FileIO(1, "w", closefd=False)
        sys.stdout = sys.__stdout__ = io.TextIOWrapper(raw, sys.stdout.encoding, sys.stdout.errors, write_through=True)  # type: ignore[misc]
    del sys.argv[1:]
    importlib.invalidate_caches()


if __name__ == "__main__":
    main()
