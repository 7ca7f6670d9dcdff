"""The files that browsers load are few, small, and what they are said to be."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Final

import hookline_console
from hookline_console.pages.static import FILES

STATIC: Final = Path(hookline_console.__file__).parent / "static"
VENDORED: Final = json.loads((STATIC / "vendored.json").read_text())


def test_vendored_files_are_unchanged() -> None:
    """What comes from npm is byte for byte what the entry with its version says."""
    found = {name: sha256((STATIC / name).read_bytes()).hexdigest() for name in VENDORED}
    assert found == {name: entry["sha256"] for name, entry in VENDORED.items()}
    assert {name for name in FILES if name.endswith(".min.js")} == set(VENDORED)


def test_all_is_small() -> None:
    """A phone with a slow connection loads at most 200 kB."""
    assert {path.name for path in STATIC.iterdir()} == {*FILES, "vendored.json"}
    assert sum((STATIC / name).stat().st_size for name in FILES) <= 200_000


def test_nothing_comes_from_elsewhere() -> None:
    """No page names another site, has inline scripts, styles or handlers, or switches off escaping."""
    for path in [*(STATIC.parent / "templates").rglob("*.html"), STATIC / "console.css", STATIC / "console.js"]:
        text = path.read_text()
        for forbidden in ("http://", "https://", "style=", "<style", "onclick", "hx-on", "|safe", "<script>", "eval("):
            assert forbidden not in text, (path.name, forbidden)
