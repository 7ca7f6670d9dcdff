"""Dead letters: by error, one by one, and one with everything about it."""

from typing import Any, Final

from aiohttp import web

from hookline_cli.dead.list import NewestLetters
from hookline_cli.dead.rows import as_object
from hookline_cli.dead.scan import find_named
from hookline_cli.dead.show import letter_facts
from hookline_console.components import COMPONENTS
from hookline_console.data_sources import AWAY
from hookline_console.dead_selection import FILTERS, DeadSelection, group_of
from hookline_console.page import redaction, render, reveal
from hookline_processor.verdicts import Reason
from hookline_shared.dead_letter import DeadLetter, DeadLetterId
from hookline_shared.errors import HooklineError
from hookline_shared.streams.locate import server_time_ms

_SHOWN: Final = 100
_GROUPS_SHOWN: Final = 100
_SCAN_S: Final = 5.0
_NO_FILTERS: Final = DeadSelection({})


async def show_all(request: web.Request) -> web.Response:
    """Show the dead letters by error, or those of one group one by one."""
    problem, chosen = "", _NO_FILTERS
    try:
        chosen = DeadSelection.read(request.query)
        values = await _found(request, chosen)
    except AWAY:
        raise
    except HooklineError as error:
        problem, values = str(error), {"groups": [], "letters": [], "total": 0, "complete": True, "now": 0}
    return render(
        request,
        "dead/list.html",
        problem=problem,
        chosen=chosen,
        typed={name: request.query.get(name, "") for name in FILTERS},
        topics=list(request.app[COMPONENTS].settings.topics),
        reasons=[str(one) for one in Reason],
        **values,
    )


async def show(request: web.Request) -> web.Response:
    """Show one letter."""
    found: list[DeadLetter] = []
    letter_id = DeadLetterId.parse(request.match_info["id"])
    await find_named(await request.app[COMPONENTS].redis.session(), [letter_id], found.append)
    if not found:
        raise web.HTTPNotFound(text=f"There is no dead letter {letter_id} any more: it was replayed or discarded.")
    letter, hides = found[0], redaction(request)
    return render(
        request,
        "dead/letter.html",
        letter=letter,
        group=group_of(letter),
        facts=letter_facts(letter, hides) | {"trace": letter.event.traceparent if letter.event else ""},
        parameters=hides.parameters(letter.event) if letter.event else {},
        raw=hides.raw(letter.event_fields) if letter.event is None else [],
        traceback=hides.error(letter.traceback, letter.event),
    )


async def show_revealed(request: web.Request) -> web.Response:
    """Show one letter with numbers and texts, which is recorded."""
    await reveal(request, f"dead letter {request.match_info['id']}")
    return await show(request)


async def _found(request: web.Request, chosen: DeadSelection) -> dict[str, Any]:
    session, hides = await request.app[COMPONENTS].redis.session(), redaction(request)
    collected = NewestLetters(_SHOWN)
    complete = await chosen.collect_for(session, collected.add, _SCAN_S)
    groups = [] if chosen.group else collected.errors.by_size()
    return {
        "groups": [(group.as_object(hides), group_of(group.newest)) for group in groups[:_GROUPS_SHOWN]],
        "letters": [as_object(letter, hides) for letter in reversed(collected.newest())],
        "total": collected.reasons.total(),
        "complete": complete,
        "now": await server_time_ms(session.redis),
    }
