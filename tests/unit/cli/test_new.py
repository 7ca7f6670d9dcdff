"""`hookline new`."""

from pathlib import Path
from typing import Final

import pytest

from hookline_cli.new.new import NewProjectError, new

NAMES: Final = [".env.example", ".gitignore", "README.md", "bot.py", "hookline.toml", "pyproject.toml", "test_bot.py"]


def test_every_file_of_the_project_is_written(tmp_path: Path) -> None:
    """The templates are found where the module is, and each becomes a file with content."""
    new(tmp_path / "demo")
    assert sorted(file.name for file in (tmp_path / "demo").iterdir() if file.stat().st_size) == NAMES


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A file that exists stays, and no other is written beside it."""
    (tmp_path / "bot.py").write_text("mine")
    with pytest.raises(NewProjectError, match=r"already has bot\.py"):
        new(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["bot.py"]
    assert (tmp_path / "bot.py").read_text() == "mine"
