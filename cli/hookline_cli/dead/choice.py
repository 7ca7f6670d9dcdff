"""Choose dead letters by ids or by filters; a command without either is refused."""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from hookline_cli.dead.scan import find_named, scan
from hookline_cli.dead.selection import Selection
from hookline_cli.output.progress import Reporting, progress_reporter
from hookline_cli.redis_session import RedisSession
from hookline_shared.dead_letter import DeadLetter, DeadLetterId
from hookline_shared.errors import HooklineError

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids, as shown by `hookline dead list`.")]
Everything = Annotated[bool, typer.Option("--all", help="All dead letters.")]


class Choice:
    """The letters with these `ids`, those that match `selection`, or with `everything` all.

    Raises:
        HooklineError: if none of them is given, or more than one.

    """

    def __init__(self, ids: Sequence[str] | None, selection: Selection, *, everything: bool) -> None:
        given = [bool(ids), not selection.everything, everything]
        if sum(given) != 1:
            raise HooklineError("Choose the dead letters by id, or by filters such as --topic, or all with --all. See --help.")
        self._ids = list(dict.fromkeys(map(DeadLetterId.parse, ids or ())))
        self._selection = selection

    async def find(
        self, redis_session: RedisSession, add: Callable[[DeadLetter], None], reporting: Reporting = progress_reporter
    ) -> int:
        """Call `add` with every chosen letter; return how many of the ids were not found."""
        if self._ids:
            return await find_named(redis_session, self._ids, add)
        await scan(redis_session, self._selection, add, reporting)
        return 0
