"""`hookline dead replay`: put dead letters back into their topics."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from hookline_cli.dead import rows
from hookline_cli.dead.choice import Choice, Everything, Ids
from hookline_cli.dead.options import selecting
from hookline_cli.dead.plan import Plan
from hookline_cli.dead.replayer import Replayer
from hookline_cli.dead.selection import Selection
from hookline_cli.output.exit_codes import INTERRUPTED
from hookline_cli.output.interrupts import until_interrupted
from hookline_cli.output.options import AsJson, DataFolder, Yes
from hookline_cli.output.progress import progress_reporter
from hookline_cli.output.redaction import Redaction
from hookline_cli.output.terminal import confirm, end, json_text, output
from hookline_cli.redis_session import RedisSession, find_settings, open_redis_session
from hookline_shared.clock import SystemClock
from hookline_shared.errors import BrokerUnavailableError, HooklineError
from hookline_shared.streams.dead_letters import DeadLetterStreams, Replayed
from hookline_shared.streams.locate import server_time_ms

_CONFIRM_ABOVE: Final = 20
_NOTHING_REPLAYED: Final = "Nothing was replayed."


class _Options(NamedTuple):
    """The options except those that choose letters."""

    rate: float
    dry_run: bool
    yes: bool
    as_json: bool


class ReplayError(HooklineError):
    """A replay ended before it was done."""


@selecting
def replay(
    selection: Selection,
    ids: Ids = None,
    everything: Everything = False,
    rate: Annotated[float, typer.Option(min=0.1, max=1_000_000, help="Dead letters per second.")] = 100.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print how many would be replayed, with a sample.")] = False,
    yes: Yes = False,
    force: Annotated[bool, typer.Option("--force", help="Also replay dead letters that cannot be decoded.")] = False,
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """Put dead letters back into their topics. Those of one conversation keep their original order.

    After Ctrl-C, the rest stays dead; run the same command again to continue.

    Example: `hookline dead replay --topic messages --reason exhausted --dry-run`
    """
    choice = Choice(ids, selection, everything=everything)
    settings = find_settings(data)
    plan = Plan(settings.topics, force=force)

    async def run() -> None:
        async with open_redis_session(settings) as redis_session:
            missing = await choice.find(redis_session, plan.add)
            await _replay(redis_session, plan, missing, _Options(rate, dry_run, yes, as_json))

    asyncio.run(run())


async def _replay(redis_session: RedisSession, plan: Plan, missing: int, options: _Options) -> None:
    if options.dry_run:
        _preview(plan, await server_time_ms(redis_session.redis), options)
        return
    if len(plan) > _CONFIRM_ABOVE:
        _print_kinds(plan)
        question = f"Replay {len(plan)} dead letters at {options.rate:g} per second?"
        confirm(question, yes=options.yes, refusal=f"{_NOTHING_REPLAYED} Matching dead letters: {len(plan)}.")
    with until_interrupted() as interrupted:
        replayer = Replayer(
            DeadLetterStreams(redis_session.redis, redis_session.partitions), plan, options.rate, SystemClock(), interrupted
        )
        try:
            with progress_reporter("Replaying", len(plan)) as progress:
                await replayer.run(progress.advance)
        except BrokerUnavailableError as error:
            raise ReplayError(
                f"{replayer.outcomes[Replayed.DONE]} replayed. Redis did not confirm the next ones, so they may be "
                f"replayed or not. Run the same command again to continue. {error}"
            ) from error
    _report(replayer, plan, missing, options)
    if replayer.left:
        end(INTERRUPTED)
    if plan.refused and not replayer.outcomes:
        end(1)


def _preview(plan: Plan, now_ms: int, options: _Options) -> None:
    redaction = Redaction(reveal=False)
    if options.as_json:
        sample = [rows.as_object(letter, redaction) for letter in plan.sample]
        typer.echo(json_text({"would_replay": len(plan), "refused": dict(plan.refused), "sample": sample}))
        return
    typer.echo(f"{len(plan)} dead letters would be replayed.")
    _print_kinds(plan, err=False)
    _print_refused(plan.refused)
    if plan.sample:
        typer.echo("\nSample:")
        output().print(rows.table(plan.sample, redaction, now_ms))


def _report(replayer: Replayer, plan: Plan, missing: int, options: _Options) -> None:
    gone = missing + replayer.outcomes[Replayed.GONE]
    done, left = replayer.outcomes[Replayed.DONE], replayer.left
    if options.as_json:
        found = {"replayed": done, "gone": gone, "left": left, "refused": dict(plan.refused), "interrupted": left > 0}
        typer.echo(json_text(found))
        return
    typer.echo(f"{done} replayed." + (f" {gone} not found: already replayed or discarded." if gone else ""))
    _print_refused(plan.refused)
    if left:
        typer.echo(f"Stopped. {left} are unchanged; run the same command again to continue.")


def _print_kinds(plan: Plan, *, err: bool = True) -> None:
    for (topic, kind), number in plan.kinds.most_common():
        typer.echo(f"  {number:>7}  {kind or 'no event'}, to topic {topic}", err=err)


def _print_refused(refused: Mapping[str, int]) -> None:
    for why, number in refused.items():
        typer.echo(f"{number} not replayed: {why}.", err=True)
