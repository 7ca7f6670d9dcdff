"""Tracebacks for people: the frames of their own files, with a summary of the frames between. Pure.

The input is redacted already, and the output has no other text, so nothing that was hidden appears.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final, NamedTuple

_PACKAGES: Final = frozenset({"site-packages", "dist-packages"})
_OURS: Final = frozenset({"hookline_cli", "hookline_console", "hookline_ingress", "hookline_processor", "hookline_shared"})
"""Our packages, which in a clone are outside of those folders. A user's folder may begin like them, such as `hookline_bot`."""
_FRAME: Final = re.compile(r'(?P<margin>[ |]*)  File "(?P<path>.*)", line \d+, in ')
_MARGIN: Final = "  "
"""Before each line, so that the message of an error cannot look like another log line."""


class _Frame(NamedTuple):
    """The lines of one frame. `owner` is its package, empty for a file of the user, None for lines that are not a frame."""

    owner: str | None
    margin: str
    lines: tuple[str, ...]


def for_people(text: str) -> str:
    """Return the traceback `text` with the frames of libraries folded, and without control characters.

    If no frame is the user's, all are shown.
    """
    parts = list(_parts(text.rstrip("\n").split("\n")))
    if any(part.owner == "" for part in parts):
        parts = list(_folded(parts))
    return "\n".join(_MARGIN + escape_controls(line) for part in parts for line in part.lines)


def _parts(lines: Iterable[str]) -> Iterator[_Frame]:
    """Split `lines` into frames and other lines. The source of a frame is indented further than its first line."""
    frame: _Frame | None = None
    for line in lines:
        start = _FRAME.match(line)
        if start is None and frame is not None and line.startswith(f"{frame.margin}    "):
            frame = frame._replace(lines=(*frame.lines, line))
            continue
        if frame is not None:
            yield frame
        frame = None
        if start is not None:
            frame = _Frame(_owner(start["path"]), start["margin"], (line,))
        else:
            yield _Frame(None, "", (line,))
    if frame is not None:
        yield frame


def _owner(path: str) -> str:
    """Return the package of the file, empty for a file of the user."""
    parts = Path(path).parts
    for before, name in pairwise(parts):
        if before in _PACKAGES or name in _OURS:
            return name.removesuffix(".py")
    if path.startswith("<frozen "):
        return "importlib"
    library = next((folder for folder in _standard_library() if Path(path).is_relative_to(folder)), None)
    return Path(path).relative_to(library).parts[0].removesuffix(".py") if library else ""


@cache
def _standard_library() -> frozenset[str]:
    import sysconfig  # noqa: PLC0415 - the first question to it takes 0.7 MB, and most services never show a traceback

    return frozenset({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})


def _folded(parts: Iterable[_Frame]) -> Iterator[_Frame]:
    """Replace adjacent frames that are not the user's by one line with their packages."""
    for folds, run in groupby(parts, lambda part: bool(part.owner)):
        if not folds:
            yield from run
            continue
        frames = list(run)
        owners = dict.fromkeys(frame.owner for frame in frames)
        names = ", ".join("hookline" if owner in _OURS else str(owner) for owner in owners)
        counted = "1 frame" if len(frames) == 1 else f"{len(frames)} frames"
        yield _Frame(None, "", (f"{frames[0].margin}  ... {counted} in {names}",))


def escape_controls(line: str) -> str:
    """Return `line` with control characters escaped, which could move the cursor or begin another line."""
    return "".join(each if each.isprintable() or each == "\t" else ascii(each)[1:-1] for each in line)
