"""What PYTHONPATH names does not come before the packages that were installed with Hookline."""

import os
from pathlib import Path

from hookline_shared.lifecycle.import_path import defer_python_path


def test_entries_come_last_in_their_order(tmp_path: Path) -> None:
    """`redis` of a bot is not imported in place of Hookline's."""
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    path = ["", first, second, "/usr/lib/python3", "/site-packages"]
    defer_python_path({"PYTHONPATH": os.pathsep.join([first, "", second])}, path)
    assert path == ["", "/usr/lib/python3", "/site-packages", first, second]


def test_folders_with_hookline_stay(tmp_path: Path) -> None:
    """A clone that is run by PYTHONPATH is the Hookline that is meant."""
    (tmp_path / "hookline_shared").mkdir()
    (tmp_path / "hookline_shared" / "__init__.py").touch()
    path = [str(tmp_path), "/site-packages"]
    defer_python_path({"PYTHONPATH": str(tmp_path)}, path)
    assert path == [str(tmp_path), "/site-packages"]


def test_nothing_without_the_variable() -> None:
    path = ["/app", "/site-packages"]
    defer_python_path({}, path)
    assert path == ["/app", "/site-packages"]
