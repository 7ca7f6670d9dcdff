"""Replaying and discarding dead letters: first what would happen, then, confirmed and with a reason, a job."""

from typing import Final

from aiohttp import web

from hookline_cli.dead import rows
from hookline_cli.dead.discard import ChosenLetters
from hookline_cli.dead.plan import Plan
from hookline_cli.dead.replayer import Replayer
from hookline_console.components import COMPONENTS, Components
from hookline_console.dead_selection import DeadSelection
from hookline_console.live.jobs import Job
from hookline_console.page import form_of, goes_to_result, record, redaction, render, session_of, why_of
from hookline_shared.dead_letter import DeadLetter
from hookline_shared.errors import HooklineError
from hookline_shared.streams.dead_letters import DeadLetterStreams, Replayed
from hookline_shared.streams.locate import server_time_ms

_RATE: Final = 100.0
_LARGEST_RATE: Final = 1_000_000.0
_PREVIEW_S: Final = 20.0
_SAMPLE: Final = 10
_AWAY: Final = "/dead"


class WrongRateError(HooklineError):
    """A rate is no number above 0."""

    def __init__(self) -> None:
        super().__init__(f"Nothing was replayed: the rate must be a number from 0.1 to {_LARGEST_RATE:,.0f}.")


async def preview_replay(request: web.Request) -> web.Response:
    """Show what a replay would do."""
    components, chosen = request.app[COMPONENTS], DeadSelection.read(request.query)
    session, plan = await components.redis.session(), _plan(components)
    until_ms = await server_time_ms(session.redis)
    complete = await chosen._replace(until_ms=until_ms).collect_for(session, plan.add, _PREVIEW_S)
    hides = redaction(request)
    return render(
        request,
        "dead/preview.html",
        action="replay",
        number=len(plan),
        counts={f"{kind or 'no event'}, to topic {topic}": number for (topic, kind), number in plan.kinds.most_common()},
        refused=plan.refused,
        sample=[rows.as_object(letter, hides) for letter in plan.sample],
        fields=chosen._replace(until_ms=until_ms).fields(),
        complete=complete,
        rate=_RATE,
        back=f"{_AWAY}?{chosen.query(id='')}",
    )


async def preview_discard(request: web.Request) -> web.Response:
    """Show what would be discarded."""
    components, chosen = request.app[COMPONENTS], DeadSelection.read(request.query)
    session, letters, sample = await components.redis.session(), ChosenLetters(), list[DeadLetter]()

    def add(letter: DeadLetter) -> None:
        letters.add(letter)
        if len(sample) < _SAMPLE:
            sample.append(letter)

    until_ms = await server_time_ms(session.redis)
    complete = await chosen._replace(until_ms=until_ms).collect_for(session, add, _PREVIEW_S)
    return render(
        request,
        "dead/preview.html",
        action="discard",
        number=letters.reasons.total(),
        counts=dict(letters.reasons),
        refused={},
        sample=[rows.as_object(letter, redaction(request)) for letter in sample],
        fields=chosen._replace(until_ms=until_ms).fields(),
        complete=complete,
        rate=None,
        back=f"{_AWAY}?{chosen.query(id='')}",
    )


async def replay(request: web.Request) -> web.Response:
    """Begin a replay."""
    components, form = request.app[COMPONENTS], await form_of(request)
    chosen, rate, why = DeadSelection.read(form), _rate(form.get("rate", "")), await why_of(request)

    async def work(job: Job) -> str:
        session, plan = await components.redis.session(), _plan(components)
        missing = await chosen.collect(session, plan.add)
        job.total = len(plan)
        letters = DeadLetterStreams(session.redis, session.partitions)
        replayer = Replayer(letters, plan, rate, components.clock, job.stop)
        try:
            await replayer.run(job.advance)
        except HooklineError as error:
            raise _Interrupted(replayer.outcomes[Replayed.DONE], "replayed", error) from error
        return _replayed(replayer, plan, missing)

    deed = await record(request, "replay dead letters", _described(chosen), why)
    return await goes_to_result(request, components.jobs.start(deed, 0, work), _AWAY)


async def discard(request: web.Request) -> web.Response:
    """Begin to discard letters."""
    components, form = request.app[COMPONENTS], await form_of(request)
    chosen, why, who = DeadSelection.read(form), await why_of(request), session_of(request).person.name

    async def work(job: Job) -> str:
        session, letters = await components.redis.session(), ChosenLetters()
        missing = await chosen.collect(session, letters.add)
        job.total, done = letters.reasons.total(), 0
        streams = DeadLetterStreams(session.redis, session.partitions)
        for partition, entries in letters.batches():
            if job.stop.is_set():
                break
            try:
                done += await streams.discard(partition, entries, who, why)
            except HooklineError as error:
                raise _Interrupted(done, "discarded", error) from error
            job.advance(len(entries))
        return _with_rest(f"{done:,} discarded.", missing + job.done - done, job.total - job.done)

    deed = await record(request, "discard dead letters", _described(chosen), why)
    return await goes_to_result(request, components.jobs.start(deed, 0, work), _AWAY)


class _Interrupted(HooklineError):
    """Redis did not confirm a batch."""

    def __init__(self, done: int, what: str, error: HooklineError) -> None:
        super().__init__(
            f"{done:,} {what}. Redis did not confirm the next ones, so they may be {what} or not. Start it again to continue. "
            f"{error}"
        )


def _plan(components: Components) -> Plan:
    return Plan(components.settings.topics, force=False, sample=_SAMPLE)


def _rate(text: str) -> float:
    try:
        rate = float(text or _RATE)
    except ValueError:
        raise WrongRateError from None
    if not 0.1 <= rate <= _LARGEST_RATE:  # noqa: PLR2004 - the least of `hookline dead replay`
        raise WrongRateError
    return rate


def _replayed(replayer: Replayer, plan: Plan, missing: int) -> str:
    refused = " ".join(f"{number:,} not replayed: {why}." for why, number in plan.refused.items())
    done, gone = replayer.outcomes[Replayed.DONE], missing + replayer.outcomes[Replayed.GONE]
    return _with_rest(f"{done:,} replayed. {refused}".strip(), gone, replayer.left)


def _with_rest(text: str, gone: int, left: int) -> str:
    text += f" {gone:,} not found: already replayed or discarded." if gone else ""
    return text + (f" Stopped. {left:,} are unchanged; start it again to continue." if left else "")


def _described(chosen: DeadSelection) -> str:
    """Return which letters, without what somebody may have typed into the field for the text of an error."""
    named = {name: value for name, value in chosen.fields().items() if name != "error"}
    if "error" in chosen.fields():
        named["error"] = "a text"
    return ", ".join(f"{name} {value}" for name, value in named.items() if name != "until") or "all"
