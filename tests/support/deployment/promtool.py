"""Prometheus' own tool for looking at rules."""

import os
import shutil
import subprocess
from typing import NoReturn

import pytest


def promtool(*arguments: str) -> str:
    """Run `promtool` and return its output; the test fails if its exit code is not 0.

    Where there is none, the test is skipped, but never in CI.
    """
    program = shutil.which("promtool") or _without_it()
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _without_it() -> NoReturn:
    reason = (
        "promtool is not there, so nobody has looked at Prometheus' rules. On Debian and Ubuntu: apt-get install prometheus"
    )
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
