"""What numbers had before they were pointed at Hookline, in a file, so that they can be put back.

A number is noted before it is changed. Whatever dies between the two: a number that still has its old URLs needs nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from hookline_shared.errors import HooklineError

_FILE: Final = "numbers.json"


class SavedNumber(msgspec.Struct, frozen=True):
    """The URLs of a number, by Twilio's names, `before` it was pointed, and `after` that."""

    number: str
    before: dict[str, str]
    after: dict[str, str]


class SavedNumbers:
    """The numbers in a file in `folder`, by SID."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def read(self) -> dict[str, SavedNumber]:
        """Return all.

        Raises:
            HooklineError: if the file cannot be read.

        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, SavedNumber])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError) as error:
            raise HooklineError(f"{self._path} cannot be read: {error}. It has the URLs that numbers had before.") from None

    def note(self, sid: str, number: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Note a number that is about to be pointed. What it had before it was first pointed stays."""
        saved = self.read()
        known = saved.get(sid)
        first = known.before if known is not None and known.after == before else dict(before)
        self._write(saved | {sid: SavedNumber(number, first, dict(after))})

    def forget(self, sid: str) -> None:
        """Forget a number that was put back."""
        self._write({other: one for other, one in self.read().items() if other != sid})

    def _write(self, saved: Mapping[str, SavedNumber]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_bytes(msgspec.json.format(msgspec.json.encode(saved)))
        new.replace(self._path)  # as a whole, or not at all
