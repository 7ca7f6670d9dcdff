"""The fixtures that pytest finds wherever Hookline is installed."""

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

_PROJECT = Path(__file__).parents[4] / "pyproject.toml"


def test_entry_point() -> None:
    """It names the module with the fixture."""
    (name,) = tomllib.loads(_PROJECT.read_text())["project"]["entry-points"]["pytest11"].values()
    assert hasattr(import_module(name), "fake_twilio")


def test_plugin_is_light() -> None:
    """Everybody's tests load it, so it must not import the processor, nor aiohttp."""
    code = (
        "import sys, pytest; before = set(sys.modules); import hookline_processor.testkit.pytest_plugin; "
        "print(*{one.partition('.')[0] for one in set(sys.modules) - before})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) <= {"hookline_processor"}
