"""What waits in Redis: for a time, a breaker, a pause or a handler; and what is paused."""

from collections import Counter
from typing import Any, Final

from aiohttp import web

from hookline_cli.known_names import check_topics
from hookline_cli.output.durations import parse_duration
from hookline_cli.output.progress import NoProgress
from hookline_cli.output.redaction import Redaction
from hookline_cli.pause.rows import describe_target
from hookline_cli.pause.target import Target, read_target
from hookline_cli.redis_session import RedisSession
from hookline_cli.retry.list import Waiting, find_waiting
from hookline_cli.retry.selection import RetryScan, RetrySelection
from hookline_console.components import COMPONENTS, Components
from hookline_console.live.jobs import Job
from hookline_console.page import form_of, goes_to, goes_to_result, record, redaction, render, session_of, why_of
from hookline_shared.errors import HooklineError
from hookline_shared.streams.locate import server_time_ms
from hookline_shared.streams.waiting.control import RetriedNow, WaitingControl, WaitingEvent
from hookline_shared.streams.waiting.pauses import Pause, PauseStore, new_pause_id

_SHOWN: Final = 50
_HERE: Final = "/waiting"


class PauseError(HooklineError):
    """A pause cannot be made as it was asked for."""


async def show(request: web.Request) -> web.Response:
    """Show what waits, and the pauses."""
    topic, components = request.query.get("topic", ""), request.app[COMPONENTS]
    check_topics([topic] if topic else [], components.settings.topics)
    session, hides = await components.redis.session(), redaction(request)
    found = await find_waiting(session, topic)
    return render(
        request,
        "waiting.html",
        found=found,
        topic=topic,
        topics=list(components.settings.topics),
        events=[_event(one, hides) for one in await _first_events(session, found, topic)],
        pauses=[(one, describe_target(one.pause, hides)) for one in found.paused],
    )


async def preview_retry(request: web.Request) -> web.Response:
    """Show how many conversations would be attempted now."""
    components, chosen = request.app[COMPONENTS], _chosen(request.query)
    scan = _scan(await components.redis.session(), components, chosen)
    number = sum([len(page.events) async for page in scan.pages(with_entries=False)])
    return render(request, "retry.html", number=number, unread=scan.unread, fields=_fields(chosen))


async def retry(request: web.Request) -> web.Response:
    """Begin to make waiting conversations due."""
    components, chosen = request.app[COMPONENTS], _chosen(await form_of(request))

    async def work(job: Job) -> str:
        session = await components.redis.session()
        scan, control = _scan(session, components, chosen), WaitingControl(session.redis, session.partitions)
        job.total = await scan.most()
        outcomes: Counter[RetriedNow] = Counter()
        async for page in scan.pages(with_entries=False):
            if job.stop.is_set():
                break
            lanes = [lane for lane, _ in page.events]
            outcomes.update(await control.retry_now(page.partition, page.topic, lanes))
            job.advance(len(lanes))
        return _retried(outcomes, scan.unread)

    described = ", ".join(f"{name} {value}" for name, value in _fields(chosen).items()) or "all"
    deed = await record(request, "retry now", described, await why_of(request))
    return await goes_to_result(request, components.jobs.start(deed, 0, work), _HERE)


async def pause(request: web.Request) -> web.Response:
    """Pause events of a topic or a kind."""
    components, form, why = request.app[COMPONENTS], await form_of(request), await why_of(request)
    target = read_target(components.settings.topics, form.get("topic", ""), form.get("kind", "").strip(), "", "", "")
    if target == Target() and form.get("everything") != "yes":
        raise PauseError("Nothing was paused: choose a topic or a kind, or tick that everything is to be paused.")
    session = await components.redis.session()
    now_ms = await server_time_ms(session.redis)
    made = Pause(
        id=new_pause_id(),
        **target._asdict(),
        who=session_of(request).person.name,
        why=why,
        since_ms=now_ms,
        until_ms=_until(form.get("duration", "").strip(), now_ms),
    )
    await record(request, "pause", describe_target(made, redaction(request)), why)
    await PauseStore(session.redis).write(made)
    session_of(request).notice = "Paused. Processors obey within about a second; webhooks are still accepted."
    return goes_to(_HERE)


async def resume(request: web.Request) -> web.Response:
    """End a pause."""
    pause_id, session = request.match_info["id"], await request.app[COMPONENTS].redis.session()
    await record(request, "resume", f"pause {pause_id}", (await form_of(request)).get("why", ""))
    ended = await PauseStore(session.redis).remove([pause_id])
    session_of(request).notice = "Resumed: the events are attempted within a few seconds." if ended else "That pause had ended."
    return goes_to(_HERE)


async def _first_events(session: RedisSession, found: Waiting, topic: str) -> list[WaitingEvent]:
    """Return the first events of some waiting conversations, at most `_SHOWN`."""
    control, events = WaitingControl(session.redis, session.partitions), list[WaitingEvent]()
    topics = [topic] if topic else list(dict.fromkeys(group.topic for group in found.groups))
    for one in await control.sets(topics):
        if topic not in ("", one.topic):
            continue
        async for lanes in control.lanes(one):
            events += await control.describe(one.partition, one.topic, lanes[: _SHOWN - len(events)])
            break
        if len(events) >= _SHOWN:
            break
    return [one for one in events if one.entry]


def _event(one: WaitingEvent, hides: Redaction) -> dict[str, Any]:
    return one._asdict() | {"key": hides.key(one.key)}


def _chosen(named: Any) -> RetrySelection:
    topic, kind, event = (named.get(name, "").strip() for name in ("topic", "kind", "event"))
    return RetrySelection((topic,) if topic else (), (kind,) if kind else (), "", event)


def _fields(chosen: RetrySelection) -> dict[str, str]:
    named = {"topic": "".join(chosen.topics), "kind": "".join(chosen.kinds), "event": chosen.event}
    return {name: value for name, value in named.items() if value}


def _scan(session: RedisSession, components: Components, chosen: RetrySelection) -> RetryScan:
    chosen.check(components.settings.topics, everything=chosen == RetrySelection())
    return RetryScan(session, components.settings, chosen, NoProgress)


def _retried(outcomes: Counter[RetriedNow], unread: int) -> str:
    due, paused, others = (outcomes[one] for one in (RetriedNow.DUE, RetriedNow.PAUSED, RetriedNow.NOT_WAITING))
    texts = [f"{due:,} due now; their processors attempt them within about a second."]
    texts += [f"{paused:,} are paused."] if paused else []
    texts += [f"{others:,} did not wait: being attempted right now, or settled."] if others else []
    texts += [f"{unread:,} are not read yet: next when the events before them are handled."] if unread else []
    return " ".join(texts)


def _until(duration: str, now_ms: int) -> int:
    if not duration:
        return 0
    try:
        length = parse_duration(duration)
    except Exception as error:  # typer's, which has no other use here
        raise PauseError(f"Nothing was paused: {duration} is no duration such as 30m, 2h or 1d.") from error
    if not length:
        raise PauseError("Nothing was paused: the duration must be longer than nothing. Without one, the pause has no end.")
    return now_ms + length
