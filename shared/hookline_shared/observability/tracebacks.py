"""Tracebacks as lines for people: the frames of their own files, and what lies between them in a few words. Pure.

What comes in is text that is redacted already, and only less of it comes out, so nothing appears here that was hidden before.
"""

import re
import sysconfig
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final, NamedTuple

_STANDARD_LIBRARY: Final = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
_PACKAGES: Final = frozenset({"site-packages", "dist-packages"})
_OURS: Final = frozenset({"hookline_cli", "hookline_ingress", "hookline_processor", "hookline_shared"})
"""Our packages, which in a clone lie outside of those folders. A user's folder may begin like them, such as `hookline_bot`."""
_FRAME: Final = re.compile(r'(?P<margin>[ |]*)  File "(?P<path>.*)", line \d+, in ')
_MARGIN: Final = "  "
"""Before each line, so that none can be taken for another log line, whatever an error's message contains."""


class _Frame(NamedTuple):
    """The lines of one frame. `owner` is the package it belongs to, empty for a file of the user; None for no frame at all."""

    owner: str | None
    margin: str
    lines: tuple[str, ...]


def for_people(text: str) -> str:
    """Return the traceback `text` with the frames of libraries folded, and without characters that a terminal obeys.

    If no frame is the user's, all are shown.
    """
    parts = list(_parts(text.rstrip("\n").split("\n")))
    if any(part.owner == "" for part in parts):
        parts = list(_folded(parts))
    return "\n".join(_MARGIN + _harmless(line) for part in parts for line in part.lines)


def _parts(lines: Iterable[str]) -> Iterator[_Frame]:
    """Divide `lines` into frames and what is between them. A frame's source is indented further than its first line."""
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
    """Return the package to which the file belongs, empty for one of the user."""
    parts = Path(path).parts
    for before, name in pairwise(parts):
        if before in _PACKAGES or name in _OURS:
            return name.removesuffix(".py")
    if path.startswith("<frozen "):
        return "importlib"
    library = next((folder for folder in _STANDARD_LIBRARY if Path(path).is_relative_to(folder)), None)
    return Path(path).relative_to(library).parts[0].removesuffix(".py") if library else ""


def _folded(parts: Iterable[_Frame]) -> Iterator[_Frame]:
    """Replace neighbouring frames that are not the user's by one line that names their packages."""
    for folds, run in groupby(parts, lambda part: bool(part.owner)):
        if not folds:
            yield from run
            continue
        frames = list(run)
        owners = dict.fromkeys(frame.owner for frame in frames)
        names = ", ".join("hookline" if owner in _OURS else str(owner) for owner in owners)
        counted = "1 frame" if len(frames) == 1 else f"{len(frames)} frames"
        yield _Frame(None, "", (f"{frames[0].margin}  ... {counted} in {names}",))


def _harmless(line: str) -> str:
    """Return `line` with characters escaped that would move the cursor, change colours or begin another line."""
    return "".join(each if each.isprintable() or each == "\t" else ascii(each)[1:-1] for each in line)
