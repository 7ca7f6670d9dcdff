"""What the tools of the MCP server return: the same as `--json` of the commands."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from hookline_cli.admin_address import AdminAddress
from hookline_cli.audit import AuditLog, Deed
from hookline_cli.dead.choice import Choice
from hookline_cli.dead.list import find_letters, found_object
from hookline_cli.dead.plan import Plan
from hookline_cli.dead.replayer import Replayer
from hookline_cli.dead.rows import as_object as letter_object
from hookline_cli.dead.selection import Selection
from hookline_cli.explain.explain import explained
from hookline_cli.known_names import check_kinds, check_topics
from hookline_cli.ledger.database import find_ledger
from hookline_cli.ledger.masking import masked
from hookline_cli.outbox.list import as_object as message_object
from hookline_cli.outbox.list import find_messages
from hookline_cli.output.progress import NoProgress
from hookline_cli.output.redaction import Redaction
from hookline_cli.output.timestamps import parse_timestamp
from hookline_cli.redis_session import RedisSession, open_redis_session
from hookline_cli.retry.list import find_waiting, waiting_object
from hookline_cli.retry.selection import RetryScan, RetrySelection
from hookline_cli.show.search import SearchTerm
from hookline_cli.show.settled import NO_LEDGER, ask_ledger, search_ledger
from hookline_cli.show.show import find
from hookline_cli.show.show import found_object as shown_object
from hookline_cli.status.collector import Collector, CollectorSettings
from hookline_cli.status.json_output import as_object as status_object
from hookline_shared.clock import SystemClock
from hookline_shared.errors import HooklineError
from hookline_shared.settings.base import SharedSettings
from hookline_shared.streams.dead_letters import DeadLetterStreams, Replayed
from hookline_shared.streams.waiting.control import RetriedNow, WaitingControl

_MOST: Final = 100
_RATE: Final = 100.0


class Tools:
    """The tools, for one installation. `redaction` masks what they return; `who` is in the record of what they do."""

    def __init__(
        self,
        settings: SharedSettings,
        statuses: CollectorSettings,
        addresses: Sequence[AdminAddress],
        data: Path,
        redaction: Redaction,
        who: str,
    ) -> None:
        self._settings = settings
        self._statuses = statuses
        self._addresses = addresses
        self._data = data
        self._redaction = redaction
        self._who = who
        self._clock = SystemClock()

    async def status(self) -> dict[str, Any]:
        """Return what is wrong, the most harmful first, topics, services and partitions, as `hookline status --json`."""
        async with Collector(self._statuses, self._addresses, self._clock) as collector:
            return status_object(await collector.look())

    async def dead_letters(self, selection: Selection, limit: int) -> dict[str, Any]:
        """Return dead letters by error and one by one, as `hookline dead list --json`."""
        check_kinds(selection.kinds)
        async with self._session() as session:
            return found_object(await find_letters(session, selection, min(limit, _MOST), NoProgress), self._redaction)

    async def show(self, wanted: str) -> dict[str, Any]:
        """Return all about an event id or a SID, as `hookline show --json`."""
        term = SearchTerm(wanted)
        async with self._session() as session:
            found = await find(session, term, _MOST, lambda: search_ledger(self._data, term, _MOST), NoProgress)
        return shown_object(found, self._redaction)

    async def waiting(self, topic: str) -> dict[str, Any]:
        """Return what waits, for what, and the pauses, as `hookline retry list --json`."""
        check_topics([topic] if topic else [], self._settings.topics)
        async with self._session() as session:
            return waiting_object(await find_waiting(session, topic))

    async def outbox(self, limit: int) -> dict[str, Any]:
        """Return the messages that are to be sent, as `hookline outbox list --json`."""
        async with self._session() as session:
            messages, total, now_ms = await find_messages(session, min(limit, _MOST))
        return {"total": total, "messages": [message_object(one, self._redaction, now_ms) for one in messages]}

    async def search(self, number: str, kind: str, status: str, since: str, limit: int) -> dict[str, Any]:
        """Return settled events, newest first, as `hookline ledger search --json`."""
        check_kinds([kind])
        settings = find_ledger(self._data)
        if settings.url is None:
            raise HooklineError(NO_LEDGER)
        from hookline_processor.ledger.search import Query, search  # noqa: PLC0415 - an extra

        start = parse_timestamp(since, self._clock.now_ms()) if since else None
        query = Query(number or None, None, kind or None, status or None, start, min(limit, _MOST))
        rows = await ask_ledger(settings, lambda engine: search(engine, query))
        return {"events": [dict(masked(row, self._redaction)) for row in rows]}

    def explain(self, code: int) -> dict[str, Any]:
        """Return what an error code of Twilio means, as `hookline explain --json`."""
        return explained(code)

    async def replay(self, ids: Sequence[str], selection: Selection, why: str, *, confirm: bool) -> dict[str, Any]:
        """Replay dead letters, or unless `confirm`, only return what that would do."""
        check_kinds(selection.kinds)
        plan = Plan(self._settings.topics, force=False)
        async with self._session() as session:
            missing = await Choice(ids, selection, everything=False).find(session, plan.add, NoProgress)
            if not confirm:
                sample = [letter_object(letter, self._redaction) for letter in plan.sample]
                return {"would_replay": len(plan), "not_found": missing, "refused": dict(plan.refused), "sample": sample}
            deed = await self._record(session, "replay dead letters", f"{len(plan)} letters", why)
            letters = DeadLetterStreams(session.redis, session.partitions)
            replayer = Replayer(letters, plan, _RATE, self._clock, asyncio.Event())
            await replayer.run(lambda _: None)
            done = replayer.outcomes[Replayed.DONE]
            await AuditLog(session.redis).write(deed._replace(outcome=f"{done} replayed."))
        return {"replayed": done, "not_found": missing + replayer.outcomes[Replayed.GONE], "refused": dict(plan.refused)}

    async def retry_now(self, topic: str, event: str, why: str) -> dict[str, Any]:
        """Make waiting conversations of a topic, or of an event id or SID, due at once."""
        selection = RetrySelection((topic,) if topic else (), event=event)
        selection.check(self._settings.topics, everything=False)
        async with self._session() as session:
            scan, control = (
                RetryScan(session, self._settings, selection, NoProgress),
                WaitingControl(session.redis, session.partitions),
            )
            deed = await self._record(session, "retry now", topic or event, why)
            outcomes: list[RetriedNow] = []
            async for page in scan.pages(with_entries=False):
                outcomes += await control.retry_now(page.partition, page.topic, [lane for lane, _ in page.events])
            due = outcomes.count(RetriedNow.DUE)
            await AuditLog(session.redis).write(deed._replace(outcome=f"{due} due now."))
        return {"due": due, "paused": outcomes.count(RetriedNow.PAUSED), "unread": scan.unread}

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[RedisSession]:
        async with open_redis_session(self._settings) as session:
            yield session

    async def _record(self, session: RedisSession, action: str, target: str, why: str) -> Deed:
        if not why.strip():
            raise HooklineError("A reason is required, and kept in the audit log.")
        deed = Deed(self._who, "", action, target, why.strip())
        await AuditLog(session.redis).write(deed)
        return deed
