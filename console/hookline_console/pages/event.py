"""The life of an event, or of everything that has a SID: as `hookline show` tells it, from Redis, the outbox and the ledger."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aiohttp import web

from hookline_cli.dead.show import letter_facts
from hookline_cli.explain.twilio_codes import CODES
from hookline_cli.ledger.masking import masked
from hookline_cli.output.progress import NoProgress
from hookline_cli.output.redaction import Redaction
from hookline_cli.retry.selection import RetryScan, RetrySelection
from hookline_cli.show.search import SearchTerm
from hookline_cli.show.settled import NO_LEDGER, LedgerAnswer, search_rows
from hookline_cli.show.show import (
    Found,
    discarded_facts,
    find,
    lines_of,
    read_event,
    settled_facts,
    unsettled_facts,
)
from hookline_cli.show.story import Line
from hookline_console.components import COMPONENTS
from hookline_console.data_sources import LedgerSource, NoLedgerError
from hookline_console.event_timeline import steps
from hookline_console.live.jobs import Job
from hookline_console.page import goes_to, goes_to_result, record, redaction, render, reveal, why_of
from hookline_shared.errors import HooklineError
from hookline_shared.streams.locate import Stage
from hookline_shared.streams.waiting.control import Dropped, WaitingControl

_MOST: Final = 50
_SEARCH_S: Final = 20.0


class Card(NamedTuple):
    """One event: its heading, its state, what is told about it, its parameters, a traceback, and what can be done with it."""

    title: str
    facts: Mapping[str, str]
    parameters: Mapping[str, Any]
    traceback: str = ""
    event_id: str = ""
    letter_id: str = ""
    waits: bool = False


class SearchTooLongError(HooklineError):
    """There is too much in Redis to look through."""

    def __init__(self) -> None:
        super().__init__(f"There are too many events in Redis to find it within {_SEARCH_S:g} s. `hookline show` has no limit.")


async def search(request: web.Request) -> web.Response:
    """Lead to the page of what was typed."""
    term = request.query.get("q", "").strip()
    return goes_to(f"/events/{SearchTerm(term).text}") if term else render(request, "event_search.html")


async def show(request: web.Request) -> web.Response:
    """Show everything about an event id or a SID."""
    components, term, hides = request.app[COMPONENTS], SearchTerm(request.match_info["term"]), redaction(request)
    session = await components.redis.session()
    try:
        async with asyncio.timeout(_SEARCH_S):
            found = await find(session, term, _MOST, lambda: _ask(components.ledger, term), NoProgress)
    except TimeoutError as error:
        raise SearchTooLongError from error
    lines = sorted(lines_of(found, hides), key=lambda line: line.at_ms)
    return render(
        request,
        "event.html",
        term=term,
        lines=lines if term.is_sid else [],
        steps=[] if term.is_sid else steps(found, hides),
        codes=_codes(lines),
        cards=_cards(found, hides),
        hits=found.hits.count + len(found.settled),
        ledger_problem=found.ledger_problem,
        topics=session.topics,
    )


async def show_revealed(request: web.Request) -> web.Response:
    """Show the same with numbers and texts, which is recorded."""
    await reveal(request, f"event {SearchTerm(request.match_info['term']).text}")
    return await show(request)


async def drop(request: web.Request) -> web.Response:
    """Move a waiting event to the dead letters, so that the next one of its conversation goes on."""
    components, term = request.app[COMPONENTS], SearchTerm(request.match_info["term"]).text
    why = await why_of(request)
    ledger = components.ledger.exists

    async def work(_: Job) -> str:
        session = await components.redis.session()
        scan = RetryScan(session, components.settings, RetrySelection(event=term), NoProgress)
        control, outcomes = WaitingControl(session.redis, session.partitions), Counter[Dropped]()
        async for page in scan.pages(with_entries=True):
            message = f"{deed.who}: {why}"
            outcomes.update(await control.drop(page.partition, page.topic, page.events, message, ledger=ledger))
        return _dropped(outcomes)

    deed = await record(request, "drop waiting event", term, why)
    return await goes_to_result(request, components.jobs.start(deed, 1, work), f"/events/{term}")


async def _ask(ledger: LedgerSource, term: SearchTerm) -> LedgerAnswer:
    try:
        return LedgerAnswer(await ledger.ask(lambda engine: search_rows(engine, term, _MOST)))
    except NoLedgerError:
        return LedgerAnswer([], NO_LEDGER)
    except HooklineError as error:
        return LedgerAnswer([], str(error))


def _cards(found: Found, hides: Redaction) -> list[Card]:
    cards = []
    for one in found.hits.unsettled:
        event, _ = read_event(one)
        waits = bool(one.location and one.location.wait)
        facts = unsettled_facts(one, hides, found.pauses, found.now_ms)
        title = "Waiting" if waits else "Not settled"
        if one.location and one.location.stage is Stage.UNREAD:
            title = "Not read yet"
        cards.append(Card(title, facts, hides.parameters(event) if event else {}, "", event.id if event else "", "", waits))
    for letter in found.hits.letters:
        parameters = hides.parameters(letter.event) if letter.event else {}
        trace = hides.error(letter.traceback, letter.event)
        cards.append(Card("Dead letter", letter_facts(letter, hides), parameters, trace, letter.event_id, str(letter.id)))
    cards += [Card("Discarded dead letter", discarded_facts(*one), {}) for one in found.hits.discarded]
    for row in found.settled:
        shown = masked(row, hides).get("params") or {}
        cards.append(Card("Settled", settled_facts(row, hides), shown if isinstance(shown, Mapping) else {}, "", row["id"]))
    return cards


def _codes(lines: list[Line]) -> list[tuple[str, str, str, str]]:
    """Return each error code of Twilio in the lines, with its title, its meaning and its remedy."""
    codes = dict.fromkeys(line.error_code for line in lines if line.error_code.isdecimal() and int(line.error_code) in CODES)
    return [(code, CODES[int(code)].title, CODES[int(code)].meaning, CODES[int(code)].remedy) for code in codes]


def _dropped(outcomes: Counter[Dropped]) -> str:
    done, busy, gone = (outcomes[one] for one in (Dropped.DONE, Dropped.IN_MEMORY, Dropped.GONE))
    texts = [f"{done:,} dropped." + (" The events behind are next." if done else "")]
    texts += [f"{busy:,} not dropped: being attempted right now, or about to be. Try again."] if busy else []
    texts += [f"{gone:,} not found: settled meanwhile."] if gone else []
    return " ".join(texts)
