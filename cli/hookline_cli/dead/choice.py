"""Telling letters that were chosen, by ids or by filters, from a command that was given neither."""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from hookline_cli.dead.selection import Selection
from hookline_cli.dead.survey import find_named, survey
from hookline_cli.reach import Reach
from hookline_shared.errors import HooklineError
from hookline_shared.letter import Letter, LetterId

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids, as `hookline dead list` shows them.")]
Everything = Annotated[bool, typer.Option("--all", help="All dead letters.")]


class Choice:
    """The letters with these `ids`, or those that fit `selection`, or with `everything` all.

    Raises:
        HooklineError: if nothing, or two of them, were said.

    """

    def __init__(self, ids: Sequence[str] | None, selection: Selection, *, everything: bool) -> None:
        said = [bool(ids), not selection.everything, everything]
        if sum(said) != 1:
            raise HooklineError("Say which letters: their ids, or filters such as --topic, or --all. See --help.")
        self._ids = list(dict.fromkeys(map(LetterId.parse, ids or ())))
        self._selection = selection

    async def find(self, reach: Reach, see: Callable[[Letter], None]) -> int:
        """Show every letter that is chosen to `see`; gives how many that were named are not there."""
        if self._ids:
            return await find_named(reach, self._ids, see)
        await survey(reach, self._selection, see)
        return 0
