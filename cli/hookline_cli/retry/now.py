"""`hookline retry now`: make waiting conversations due at once."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from hookline_cli.output.exit_codes import INTERRUPTED
from hookline_cli.output.interrupts import until_interrupted
from hookline_cli.output.options import AsJson, DataFolder, Yes
from hookline_cli.output.progress import progress_reporter
from hookline_cli.output.terminal import confirm, end, print_result
from hookline_cli.redis_session import RedisSession, find_settings, open_redis_session
from hookline_cli.retry.selection import EventOption, KeyOption, KindsOption, RetryScan, RetrySelection, TopicsOption
from hookline_shared.errors import BrokerUnavailableError, HooklineError
from hookline_shared.streams.waiting.control import RetriedNow, WaitingControl


class _Options(NamedTuple):
    """The options except those that choose events."""

    everything: bool
    dry_run: bool
    yes: bool
    as_json: bool


def retry_now(
    topics: TopicsOption = [],  # noqa: B006
    kinds: KindsOption = [],  # noqa: B006
    key: KeyOption = "",
    event: EventOption = "",
    everything: Annotated[bool, typer.Option("--all", help="All waiting events.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print how many would be due now.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """Attempt waiting events now. A conversation continues with its first event.

    The number of their attempts does not change. A paused event stays paused: see `hookline resume`. An event whose breaker
    is still open, or whose kind still has no handler, waits again.

    Example: `hookline retry now --topic messages`

    Example: `hookline retry now --event SM0123456789abcdef0123456789abcdef`
    """
    selection = RetrySelection(tuple(topics), tuple(kinds), key, event)
    settings = find_settings(data)
    selection.check(settings.topics, everything=everything)

    async def run() -> None:
        async with open_redis_session(settings) as redis_session:
            scan = RetryScan(redis_session, settings, selection)
            await _retry_now(redis_session, scan, _Options(everything, dry_run, yes, as_json))

    asyncio.run(run())


async def _retry_now(redis_session: RedisSession, scan: RetryScan, options: _Options) -> None:
    most = await scan.most()
    if options.dry_run:
        number = sum([len(page.events) async for page in scan.pages(with_entries=False)])
        print_result({"would_be_due": number}, f"{number} conversations would be due now.", as_json=options.as_json)
        return
    if options.everything and most:
        refusal = f"Nothing was changed. Waiting conversations: {most}."
        confirm(f"Attempt {most} conversations now?", yes=options.yes, refusal=refusal)
    control = WaitingControl(redis_session.redis, redis_session.partitions)
    outcomes: Counter[RetriedNow] = Counter()
    with until_interrupted() as interrupted, progress_reporter("Making due", most) as progress:
        try:
            async for page in scan.pages(with_entries=False):
                if interrupted.is_set():
                    break
                lanes = [lane for lane, _ in page.events]
                outcomes.update(await control.retry_now(page.partition, page.topic, lanes))
                progress.advance(len(lanes))
        except BrokerUnavailableError as error:
            raise HooklineError(
                f"{outcomes[RetriedNow.DUE]} are due now. Redis did not confirm the next ones. Run the same command again to "
                f"continue. {error}"
            ) from error
    _report(options, outcomes, scan, stopped=interrupted.is_set())


def _report(options: _Options, outcomes: Counter[RetriedNow], scan: RetryScan, *, stopped: bool) -> None:
    due, paused, others = (outcomes[one] for one in (RetriedNow.DUE, RetriedNow.PAUSED, RetriedNow.NOT_WAITING))
    lines = [f"{due} due now; their processors attempt them within about a second."]
    lines += [f"{paused} paused: see `hookline pause list`."] if paused else []
    lines += [f"{others} did not wait: being attempted right now, or settled."] if others else []
    lines += [f"{scan.unread} not read yet: next when the events before them are handled."] if scan.unread else []
    lines += ["Stopped. Run the same command again to continue."] if stopped else []
    told = {"due": due, "paused": paused, "not_waiting": others, "unread": scan.unread, "interrupted": stopped}
    print_result(told, "\n".join(lines), as_json=options.as_json)
    if stopped:
        end(INTERRUPTED)
    if not due and (paused or others or scan.unread):
        end(1)
