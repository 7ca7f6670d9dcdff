"""People and numbers, and the thread of two of them as a chat: from the ledger."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import typer
from aiohttp import web

from hookline_cli.known_names import check_kinds
from hookline_cli.ledger.masking import masked
from hookline_cli.output.redaction import Redaction
from hookline_cli.output.sids import is_sid
from hookline_cli.output.timestamps import parse_timestamp
from hookline_console.components import COMPONENTS
from hookline_console.data_sources import AWAY
from hookline_console.page import redaction, render, reveal
from hookline_shared.errors import HooklineError

_READ: Final = 500
"""The newest matching events, of which conversations are made."""
_SHOWN: Final = 100
_THREAD: Final = 200
_FIELDS: Final = ("number", "sid", "kind", "status", "since")
_BAD: Final = frozenset({"failed", "undelivered", "busy", "no-answer", "canceled"})


class Conversation(NamedTuple):
    """The newest of what two parties said: masked, with the number of its events among those that were read."""

    row: Mapping[str, Any]
    parties: tuple[str, str]
    events: int
    failed: bool


async def show(request: web.Request) -> web.Response:
    """Show the newest conversations that match."""
    typed = {name: request.query.get(name, "").strip() for name in _FIELDS}
    problem, found = "", list[Conversation]()
    try:
        found = _conversations(await _search(request, typed), redaction(request))
    except AWAY:
        raise
    except HooklineError as error:
        problem = str(error)
    return render(
        request,
        "conversations.html",
        typed=typed,
        found=found[:_SHOWN],
        problem=problem,
        has_ledger=request.app[COMPONENTS].ledger.exists,
    )


async def show_thread(request: web.Request) -> web.Response:
    """Show the messages and calls between the two parties of the event with this id."""
    event_id, ledger, hides = request.match_info["id"], request.app[COMPONENTS].ledger, redaction(request)
    ledger.require()
    from hookline_processor.ledger.search import Query, conversation, search  # noqa: PLC0415 - an extra

    one = await ledger.ask(lambda engine: search(engine, Query(event_id=event_id)))
    if not one or not one[0]["sender"] or not one[0]["recipient"]:
        raise web.HTTPNotFound(text="There is no conversation with this event in the ledger, or not any more.")
    sender, recipient = one[0]["sender"], one[0]["recipient"]
    rows = await ledger.ask(lambda engine: conversation(engine, sender, recipient, _THREAD))
    person = _person(rows) or (sender if one[0]["kind"].endswith("received") else recipient)
    return render(
        request,
        "thread.html",
        event_id=event_id,
        parties=[hides.value("From", person), hides.value("To", recipient if person == sender else sender)],
        rows=[(masked(row, hides), row["sender"] != person, row["status"] in _BAD) for row in rows],
    )


async def show_thread_revealed(request: web.Request) -> web.Response:
    """Show the same with numbers and texts, which is recorded."""
    await reveal(request, f"conversation of event {request.match_info['id']}")
    return await show_thread(request)


async def _search(request: web.Request, typed: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
    ledger, clock = request.app[COMPONENTS].ledger, request.app[COMPONENTS].clock
    ledger.require()
    from hookline_processor.ledger.search import Query, search  # noqa: PLC0415 - an extra

    check_kinds([typed["kind"]])
    if typed["sid"] and not is_sid(typed["sid"]):
        raise HooklineError(f"{typed['sid']} is no SID: a SID is two capital letters and 32 hexadecimal digits.")
    try:
        since = parse_timestamp(typed["since"], clock.now_ms()) if typed["since"] else None
    except typer.BadParameter as error:
        raise HooklineError(f"{error.message}.") from None
    number, sid, kind, status = (typed[name] or None for name in ("number", "sid", "kind", "status"))
    query = Query(number, sid, kind, status, since, _READ, with_params=False)
    return await ledger.ask(lambda engine: search(engine, query))


def _conversations(rows: Sequence[Mapping[str, Any]], hides: Redaction) -> list[Conversation]:
    """Return one conversation for each two parties, the newest first; an event without two parties is one of its own."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        parties = sorted(filter(None, (row["sender"], row["recipient"])))
        groups.setdefault(tuple(parties) if len(parties) > 1 else (row["id"],), []).append(row)
    return [_conversation(own, hides) for own in groups.values()]


def _conversation(rows: Sequence[Mapping[str, Any]], hides: Redaction) -> Conversation:
    newest = rows[0]
    parties = hides.value("From", newest["sender"] or ""), hides.value("To", newest["recipient"] or "")
    failed = any(row["status"] in _BAD or row["outcome"] != "done" for row in rows)
    return Conversation(masked(newest, hides), parties, len(rows), failed)


def _person(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return which of the two parties is not ours, as a direction says it; empty if none does."""
    for row in rows:
        way = row["direction"] or ""
        if way.startswith(("inbound", "outbound")):
            return str(row["sender"] if way.startswith("inbound") else row["recipient"])
    return ""
