"""What ingress leaves out of the libraries that it imports. `tests/unit/cli/test_imports.py` has the real ones."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from hookline_shared.lifecycle import lean_imports

_LIBRARY = """
try:
    import optional_one
except ImportError:
    optional_one = None
"""


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two libraries that can be imported, one of which needs the module that is left out."""
    (tmp_path / "optional_one.py").touch()
    (tmp_path / "tolerant.py").write_text(_LIBRARY)
    (tmp_path / "demanding.py").write_text("import optional_one")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    monkeypatch.setattr(lean_imports, "_LEFT_OUT", {"demanding": "optional_one", "tolerant": "optional_one"})
    yield
    for name in sys.modules.keys() - before:
        del sys.modules[name]


def test_left_out() -> None:
    """The library does not find it, but who imports it later does."""
    lean_imports.import_lean()
    assert sys.modules["tolerant"].optional_one is None
    assert import_module("optional_one") is not None


def test_library_that_needs_it() -> None:
    """The start does not fail, and the next import is an ordinary one."""
    lean_imports.import_lean()
    assert "demanding" not in sys.modules
    assert import_module("demanding").optional_one is sys.modules["optional_one"]


def test_loaded_already() -> None:
    """What is loaded stays as it is: there is nothing to save."""
    loaded = import_module("optional_one")
    lean_imports.import_lean()
    assert sys.modules["optional_one"] is loaded
