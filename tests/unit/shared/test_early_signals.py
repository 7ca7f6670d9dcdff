"""A signal before a service looks for signals ends it at once, also as process 1 of a container."""

import signal
import subprocess
import sys

import pytest

from tests.support.waiting import PATIENCE_S

_STARTING = """
import signal
from hookline_shared.lifecycle.early_signals import exit_on_signal
exit_on_signal()
print("importing", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_while_it_starts(number: signal.Signals) -> None:
    """Nothing was accepted yet, so it ends as if it had finished everything; without a handler the kernel ignores the signal
    for process 1."""
    with subprocess.Popen([sys.executable, "-c", _STARTING], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0
