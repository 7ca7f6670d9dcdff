"""Folders and files stay small enough to be read, as CONTRIBUTING.md says."""

from collections import Counter
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
FOLDERS: Final = ("hookline", "ingress", "processor", "shared", "cli", "console", "bench", "examples", "tests", "deploy")
MOST_FILES: Final = 15
MOST_LINES: Final = 300

INSTALLED: Final = {".venv", "node_modules"}
"""Folders with the files of others, such as those of the benchmark's peers."""

FILES: Final = [
    file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py") if not INSTALLED & set(file.relative_to(ROOT).parts)
]


def test_no_folder_has_too_many_files() -> None:
    """A folder of more is divided by theme. `__init__.py` does not count."""
    counts = Counter(file.parent.relative_to(ROOT) for file in FILES if file.name != "__init__.py")
    assert counts
    assert {str(folder): count for folder, count in counts.items() if count > MOST_FILES} == {}


def test_no_file_is_too_long() -> None:
    """A longer one does more than one thing."""
    lines = {str(file.relative_to(ROOT)): file.read_bytes().count(b"\n") for file in FILES}
    assert {file: count for file, count in lines.items() if count > MOST_LINES} == {}
