"""`hookline retry drop`: move waiting events to the dead letters."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from hookline_cli.output.exit_codes import INTERRUPTED
from hookline_cli.output.interrupts import until_interrupted
from hookline_cli.output.operator import who_note, why_note
from hookline_cli.output.options import AsJson, DataFolder, Yes
from hookline_cli.output.progress import progress_reporter
from hookline_cli.output.terminal import confirm, end, print_result
from hookline_cli.redis_session import RedisSession, find_settings, open_redis_session
from hookline_cli.retry.selection import (
    EventOption,
    KeyOption,
    KindsOption,
    Page,
    RetryScan,
    RetrySelection,
    TopicsOption,
    WhoOption,
    WhyOption,
)
from hookline_cli.settings.running import find_running
from hookline_processor.ledger.settings import SettingsWithLedger
from hookline_shared.errors import BrokerUnavailableError, HooklineError
from hookline_shared.streams.waiting.control import Dropped, WaitingControl

_BATCH: Final = 50


class _Options(NamedTuple):
    """The options except those that choose events."""

    message: str
    dry_run: bool
    yes: bool
    as_json: bool


def drop(
    topics: TopicsOption = [],  # noqa: B006
    kinds: KindsOption = [],  # noqa: B006
    key: KeyOption = "",
    event: EventOption = "",
    everything: Annotated[bool, typer.Option("--all", help="All waiting events.")] = False,
    why: WhyOption = "",
    who: WhoOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print how many would be dropped.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """Move waiting events to the dead letters, so that the next event of each conversation goes on.

    Without --event, it drops only the first event of each matching conversation. An event that is being attempted right now
    is not dropped. `hookline dead replay --reason dropped` puts dropped events back into their topics.

    Example: `hookline retry drop --event SM0123456789abcdef0123456789abcdef --why 'the order was cancelled'`
    """
    options = _Options("" if dry_run else f"{who_note(who)}: {why_note(why)}", dry_run, yes, as_json)
    selection = RetrySelection(tuple(topics), tuple(kinds), key, event)
    settings = find_settings(data)
    selection.check(settings.topics, everything=everything)
    ledger = SettingsWithLedger.load(find_running(data).adopted).ledger.url is not None

    async def run() -> None:
        async with open_redis_session(settings) as redis_session:
            scan = RetryScan(redis_session, settings, selection)
            # All are chosen before the first is dropped: the event behind a dropped one is not to follow it.
            chosen = [page async for page in scan.pages(with_entries=True)]
            await _drop(redis_session, chosen, scan, options, ledger=ledger)

    asyncio.run(run())


async def _drop(redis_session: RedisSession, chosen: list[Page], scan: RetryScan, options: _Options, *, ledger: bool) -> None:
    number = sum(len(page.events) for page in chosen)
    if options.dry_run:
        print_result({"would_drop": number}, f"{number} waiting events would be dropped.", as_json=options.as_json)
        return
    if number:
        question = f"Move {number} waiting events to the dead letters?"
        confirm(question, yes=options.yes, refusal=f"Nothing was dropped. Matching events: {number}.")
    control = WaitingControl(redis_session.redis, redis_session.partitions)
    outcomes: Counter[Dropped] = Counter()
    with until_interrupted() as interrupted, progress_reporter("Dropping", number) as progress:
        for page in _batches(chosen):
            if interrupted.is_set():
                break
            try:
                dropped = await control.drop(page.partition, page.topic, page.events, options.message, ledger=ledger)
            except BrokerUnavailableError as error:
                raise HooklineError(
                    f"{outcomes[Dropped.DONE]} dropped. Redis did not confirm the next ones, so they may be dropped or not. "
                    f"See `hookline dead list --reason dropped`. {error}"
                ) from error
            outcomes.update(dropped)
            progress.advance(len(page.events))
    _report(options, outcomes, scan.unread, number - outcomes.total())


def _batches(pages: list[Page]) -> Iterator[Page]:
    for page in pages:
        for at in range(0, len(page.events), _BATCH):
            yield page._replace(events=page.events[at : at + _BATCH])


def _report(options: _Options, outcomes: Counter[Dropped], unread: int, left: int) -> None:
    done, busy, gone = (outcomes[one] for one in (Dropped.DONE, Dropped.IN_MEMORY, Dropped.GONE))
    lines = [f"{done} dropped." + (" The events behind them are next." if done else "")]
    lines += [f"{busy} not dropped: being attempted right now, or about to be. Run the same command again."] if busy else []
    lines += [f"{unread} not dropped: not read yet, so they do not wait."] if unread else []
    lines += [f"{gone} not found: settled meanwhile."] if gone else []
    lines += [f"Stopped. {left} are unchanged."] if left else []
    told = {"dropped": done, "in_memory": busy, "unread": unread, "gone": gone, "left": left, "interrupted": left > 0}
    print_result(told, "\n".join(lines), as_json=options.as_json)
    if left:
        end(INTERRUPTED)
    if not done and (busy or unread):
        end(1)
