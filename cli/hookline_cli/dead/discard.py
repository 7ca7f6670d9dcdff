"""`hookline dead discard`: delete dead letters, with a record."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from hookline_cli.dead import rows
from hookline_cli.dead.choice import Choice, Everything, Ids
from hookline_cli.dead.options import selecting
from hookline_cli.dead.selection import Selection
from hookline_cli.output.exit_codes import INTERRUPTED
from hookline_cli.output.interrupts import until_interrupted
from hookline_cli.output.operator import who_note, why_note
from hookline_cli.output.options import AsJson, DataFolder, Yes
from hookline_cli.output.progress import progress_reporter
from hookline_cli.output.terminal import confirm, end, print_result
from hookline_cli.redis_session import RedisSession, find_settings, open_redis_session
from hookline_shared.dead_letter import DeadLetter
from hookline_shared.errors import BrokerUnavailableError, HooklineError
from hookline_shared.streams.dead_letters import DeadLetterStreams

_BATCH: Final = 100


class _Options(NamedTuple):
    """The options except those that choose letters."""

    who: str
    why: str
    dry_run: bool
    yes: bool
    as_json: bool


class ChosenLetters:
    """The letters to discard, by partition."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self._entries: dict[int, list[str]] = {}

    def add(self, letter: DeadLetter) -> None:
        """Add a chosen letter."""
        self.reasons[letter.reason] += 1
        self._entries.setdefault(letter.id.partition, []).append(letter.id.entry)

    def batches(self) -> Iterator[tuple[int, list[str]]]:
        """Yield their entries in batches, each of one partition."""
        for partition, entries in self._entries.items():
            for at in range(0, len(entries), _BATCH):
                yield partition, entries[at : at + _BATCH]


@selecting
def discard(
    selection: Selection,
    ids: Ids = None,
    everything: Everything = False,
    why: Annotated[str, typer.Option(help="The reason, kept in the record. Do not write personal data here.")] = "",
    who: Annotated[str | None, typer.Option(help="Who discards them, kept in the record. Default: user@host.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print how many would be discarded.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """Delete dead letters permanently. A record keeps who, when, why and the ids, but no bodies and no numbers.

    Example: `hookline dead discard 3:1718000000000-0 --why 'test message'`
    """
    options = _Options(who_note(who), "" if dry_run else why_note(why), dry_run, yes, as_json)
    choice = Choice(ids, selection, everything=everything)
    settings = find_settings(data)

    async def run() -> None:
        async with open_redis_session(settings) as redis_session:
            chosen = ChosenLetters()
            missing = await choice.find(redis_session, chosen.add)
            await _discard(redis_session, chosen, missing, options)

    asyncio.run(run())


async def _discard(redis_session: RedisSession, chosen: ChosenLetters, missing: int, options: _Options) -> None:
    number = chosen.reasons.total()
    if options.dry_run:
        print_result(
            {"would_discard": number, "reasons": dict(chosen.reasons)},
            f"{number} dead letters would be discarded.",
            as_json=options.as_json,
        )
        return
    if number:
        question = f"Discard {number} dead letters permanently ({rows.counts(chosen.reasons)})?"
        confirm(question, yes=options.yes, refusal=f"Nothing was discarded. Matching dead letters: {number}.")
    letters = DeadLetterStreams(redis_session.redis, redis_session.partitions)
    done, seen = 0, 0
    with until_interrupted() as interrupted, progress_reporter("Discarding", number) as progress:
        for partition, entries in chosen.batches():
            if interrupted.is_set():
                break
            try:
                done += await letters.discard(partition, entries, options.who, options.why)
            except BrokerUnavailableError as error:
                raise HooklineError(
                    f"{done} discarded. Redis did not confirm the next ones, so they may be discarded or not. "
                    f"Run the same command again to continue. {error}"
                ) from error
            seen += len(entries)
            progress.advance(len(entries))
    _report(options, done, missing + seen - done, number - seen)


def _report(options: _Options, done: int, gone: int, left: int) -> None:
    text = f"{done} discarded." + (f" {gone} not found: already replayed or discarded." if gone else "")
    if left:
        text += f"\nStopped. {left} are unchanged; run the same command again to continue."
    print_result({"discarded": done, "gone": gone, "left": left, "interrupted": left > 0}, text, as_json=options.as_json)
    if left:
        end(INTERRUPTED)
