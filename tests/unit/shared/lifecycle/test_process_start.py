"""A signal before a service looks for signals ends it at once, also as process 1 of a container."""

import signal
import subprocess
import sys

import pytest

from tests.support.waiting import PATIENCE_S

_STARTING = """
import signal
from hookline_shared.lifecycle.process_start import prepare_process
prepare_process()
print("importing", flush=True)
signal.pause()
"""
_COLLECTOR = """
import gc
from hookline_shared.lifecycle.process_start import prepare_process, resume_collection
prepare_process()
print(gc.isenabled())
resume_collection()
print(gc.isenabled(), gc.get_threshold()[0] >= 10_000, gc.get_freeze_count() > 0)
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


def test_collector_pauses_during_imports() -> None:
    """They create hardly any garbage, and the collector would take a tenth of their time to find that out."""
    done = subprocess.run([sys.executable, "-c", _COLLECTOR], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False", "True True True"]
