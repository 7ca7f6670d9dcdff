"""A wall clock of a Redis server that a test can set, by a small library that is loaded into the server before the system's."""

import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

import pytest

_SOURCE: Final = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *ahead_s;

__attribute__((constructor)) static void begin(void) {
  int file = open(getenv("CLOCK_AHEAD_FILE"), O_RDONLY);
  ahead_s = mmap(0, sizeof *ahead_s, PROT_READ, MAP_SHARED, file, 0);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  int (*original)(struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
  int result = original(now, zone);
  if (ahead_s) now->tv_sec += *ahead_s;
  return result;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int (*original)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
  int result = original(clock, now);
  if (ahead_s && clock == CLOCK_REALTIME) now->tv_sec += *ahead_s;
  return result;
}

time_t time(time_t *into) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (into) *into = now.tv_sec;
  return now.tv_sec;
}
"""


class SettableClock:
    """The clock of every server that is started with `environment`. Skips the test where it cannot be made."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock-ahead"
        self.set_ahead(0)
        library = folder / "clock.so"
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler is installed, which makes the clock of the server settable")
        (folder / "clock.c").write_text(_SOURCE)
        command = [compiler, "-shared", "-fPIC", "-o", str(library), str(folder / "clock.c"), "-ldl"]
        subprocess.run(command, check=True, capture_output=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_AHEAD_FILE": str(self._file)}

    def set_ahead(self, seconds: int) -> None:
        """Set the clock to so many seconds ahead of the machine's, or behind it if they are negative."""
        with self._file.open("r+b" if self._file.exists() else "w+b") as file:
            file.write(struct.pack("q", seconds))
