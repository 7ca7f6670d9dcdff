"""The machine: what it is, which cores are for what, and what the kernel says of a process.

Memory, CPU time and pinning need Linux; elsewhere they are unknown (None) and nothing is pinned.
"""

import os
import platform
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import msgspec

_PROC = Path("/proc")


class Machine(msgspec.Struct, frozen=True):
    """What the figures were measured on. `node` is empty where there is no Node.js."""

    cpu: str
    cores: int
    system: str
    python: str
    aiohttp: str
    uvloop: str
    redis: str
    node: str = ""


class Cores(NamedTuple):
    """The core of the service under test and the core of everything else; None leaves the choice to the system.

    `usable` is how many cores there are to choose from.
    """

    service: int | None
    rest: int | None
    usable: int

    def named(self) -> dict[str, int]:
        """Return those that are told apart."""
        found = {"service core": self.service, "load core": self.rest}
        return {name: core for name, core in found.items() if core is not None}


def describe(redis_version: str, cores: Cores) -> Machine:
    """Look at the machine."""
    return Machine(
        cpu=_cpu_model(),
        cores=cores.usable,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        aiohttp=version("aiohttp"),
        uvloop=version("uvloop"),
        redis=redis_version,
        node=_node_version(),
    )


def assign_cores() -> Cores:
    """Divide the cores that this process may use; with fewer than two, nobody is pinned."""
    usable = _usable_cores()
    if len(usable) > 1:
        return Cores(usable[0], usable[1], len(usable))
    return Cores(None, None, len(usable) or os.cpu_count() or 1)


def pin(pid: int, core: int | None) -> None:
    """Keep process `pid` (0 is this one) on `core`, if there is one to keep it on."""
    if core is not None and sys.platform == "linux":
        os.sched_setaffinity(pid, {core})


def window_mb(pid: int, field: str = "VmRSS") -> float | None:
    """Return the resident memory of a process and its children in megabytes (10^6), now or, with "VmHWM", at its highest."""
    kilobytes = [found for member in session(pid) if (found := _status(member, field)) is not None]
    return sum(kilobytes) * 1024 / 1e6 if kilobytes else None


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time that a process and its children have used, in seconds."""
    used = [found for member in session(pid) if (found := _cpu_clock(member)) is not None]
    return sum(used) if used else None


def session(pid: int) -> list[int]:
    """Return the processes of the session that `pid` leads, which is what the benchmark starts; or `pid` alone."""
    if not _stat(pid) or int(_stat(pid)[3]) != pid:
        return [pid]
    members = [int(folder.name) for folder in _PROC.iterdir() if folder.name.isdigit()]
    return [member for member in members if (fields := _stat(member)) and int(fields[3]) == pid]


def idle_seconds(core: int) -> float | None:
    """Return the time that `core` has had nothing to do, in seconds."""
    for line in _read(_PROC / "stat").splitlines():
        if line.startswith(f"cpu{core} "):
            _user, _nice, _system, idle, iowait = line.split()[1:6]
            return (int(idle) + int(iowait)) / os.sysconf("SC_CLK_TCK")
    return None


def _stat(pid: int) -> list[str]:
    return _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()  # the name before it may hold spaces


def _cpu_clock(pid: int) -> float | None:
    """Return the CPU time of one process, to a nanosecond, which /proc tells to a hundredth of a second only.

    Source of the clock's number: clock_getcpuclockid(3) of Linux, CPUCLOCK_SCHED of its kernel.
    """
    if sys.platform != "linux":
        return None
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None  # it has ended


def _status(pid: int, field: str) -> int | None:
    lines = _read(_PROC / str(pid) / "status").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), None)


def _usable_cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


def _cpu_model() -> str:
    lines = _read(_PROC / "cpuinfo").splitlines()
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, "") or platform.processor() or platform.machine()


def _node_version() -> str:
    node = shutil.which("node")
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout if node else ""
    return told.strip().removeprefix("v")


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
