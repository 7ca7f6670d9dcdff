"""Which dead letters a page, a dry run or an action is about, as its address says it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple, Self
from urllib.parse import urlencode

import typer

from hookline_cli.dead.by_error import key_of
from hookline_cli.dead.scan import find_named, scan
from hookline_cli.dead.selection import Selection
from hookline_cli.known_names import check_kinds, check_reasons
from hookline_cli.output.progress import NoProgress
from hookline_cli.output.timestamps import parse_timestamp
from hookline_cli.redis_session import RedisSession
from hookline_shared.dead_letter import DeadLetter, DeadLetterId
from hookline_shared.errors import HooklineError

FILTERS: Final = ("topic", "kind", "reason", "error", "sid", "newer_than", "older_than")
_DIGITS: Final = 16


class DeadSelection(NamedTuple):
    """The letters with `ids`; without any, those that match the `filters` and are of the `group` of errors, if it is not empty,
    and died at most at `until_ms`, by the clock of Redis, if that is not 0."""

    filters: Mapping[str, str]
    ids: Sequence[DeadLetterId] = ()
    group: str = ""
    until_ms: int = 0

    @classmethod
    def read(cls, named: Mapping[str, str]) -> Self:
        """Return the selection in a query or a form.

        Raises:
            HooklineError: if something in it is wrong.

        """
        ids = [DeadLetterId.parse(one) for one in named.get("id", "").split(",") if one]
        filters = {name: named[name].strip() for name in FILTERS if named.get(name, "").strip()}
        until = named.get("until", "")
        found = cls(filters, ids, named.get("group", ""), int(until) if until.isascii() and until.isdecimal() else 0)
        found.selection()
        return found

    def selection(self) -> Selection:
        """Return the filters as the commands have them.

        Raises:
            HooklineError: if one is wrong.

        """
        get = self.filters.get
        check_kinds([get("kind", "")])
        check_reasons(filter(None, [get("reason", "")]))
        for name in ("newer_than", "older_than"):
            _check_age(get(name, ""))
        return Selection(
            topics=_one(get("topic", "")),
            kinds=_one(get("kind", "")),
            reasons=_one(get("reason", "")),
            error=get("error", ""),
            sid=get("sid", ""),
            newer_than=get("newer_than", ""),
            older_than=get("older_than", ""),
        )

    async def collect(self, session: RedisSession, add: Callable[[DeadLetter], None]) -> int:
        """Call `add` with every letter; return how many of the ids were not found.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        if self.ids:
            return await find_named(session, self.ids, add)

        def add_fitting(letter: DeadLetter) -> None:
            if self._fits(letter):
                add(letter)

        await scan(session, self.selection(), add_fitting, NoProgress)
        return 0

    async def collect_for(self, session: RedisSession, add: Callable[[DeadLetter], None], seconds: float) -> bool:
        """Do the same for `seconds` at most; return whether that were all of them."""
        try:
            async with asyncio.timeout(seconds):
                await self.collect(session, add)
        except TimeoutError:
            return False
        return True

    def fields(self) -> dict[str, str]:
        """Return the fields of a form, or of a query, for this selection."""
        found = {**self.filters, "group": self.group, "id": ",".join(map(str, self.ids))}
        found["until"] = str(self.until_ms) if self.until_ms else ""
        return {name: value for name, value in found.items() if value}

    def query(self, **changed: str) -> str:
        """Return the query for this selection, with some fields changed; an empty one is left out."""
        return urlencode({name: value for name, value in (self.fields() | changed).items() if value})

    def _fits(self, letter: DeadLetter) -> bool:
        died = int(letter.id.entry.partition("-")[0])
        return (not self.group or group_of(letter) == self.group) and (not self.until_ms or died <= self.until_ms)


def group_of(letter: DeadLetter) -> str:
    """Return the name of a letter's group in addresses: a hash, since an error may quote a name."""
    return sha256("\n".join(key_of(letter)).encode(errors="replace")).hexdigest()[:_DIGITS]


def _one(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _check_age(text: str) -> None:
    try:
        if text:
            parse_timestamp(text, 0)
    except typer.BadParameter as error:
        raise HooklineError(f"{error.message}.") from None
