"""With --send: check that an event goes from ingress through Redis to the processor and is settled.

The event is real, so a handler receives it: the status of a message that does not exist, with a recognisable SID.
"""

import asyncio
import secrets
from collections.abc import Iterable
from enum import Enum
from typing import Final

import aiohttp

from hookline_cli.doctor.checks.webhook import CHECK, TIMEOUT, deliver, local_base
from hookline_cli.doctor.finding import Finding, fine, problem, warning
from hookline_cli.doctor.subject import Subject
from hookline_cli.signing import WebhookRequest, sign_form
from hookline_ingress.settings import IngressSettings
from hookline_processor.samples.webhook import sample
from hookline_shared.clock import SystemClock
from hookline_shared.errors import HooklineError
from hookline_shared.observability.logs import get_logger
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.backlog import is_among_newest, partitions_in_use
from hookline_shared.topics import STATUSES

SID_BEGINS: Final = "SM" + "d0c7" * 4
"""The beginning of the SID of the message that does not exist."""
_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.05
_ENTRIES: Final = 200


_KIND: Final = "message.status"


class _EventState(Enum):
    WAITING = "is still waiting"
    UNHANDLED = "waits for a handler"
    DEAD = "is a dead letter"
    SETTLED = "was settled"


async def check_event(subject: Subject, timeout_s: float = _TIMEOUT_S) -> list[Finding]:
    """Send the event and report whether it was settled."""
    if not subject.send or subject.ingress is None or subject.hidden_redis:
        return []
    sid = SID_BEGINS + secrets.token_hex(8)
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        base, public = local_base(subject.ingress), subject.ingress.public_urls[0]
        answer = await deliver(session, base, public, _status_request(subject.ingress, sid))
    if answer.trouble or answer.status not in (200, 204):
        text = f"the status of message {sid} was not accepted: {answer.trouble or answer.status}"
        return [problem(CHECK, text, "Nothing was stored.", "See the finding above about the empty webhook.")]
    try:
        return [_judge(sid, await _wait_until_settled(subject.ingress, sid, timeout_s))]
    except HooklineError as error:
        meaning = "It was accepted, so it is in Redis or in the spool."
        return [
            warning(CHECK, f"the result for message {sid} is unknown: {error}", meaning, "See the finding above about Redis.")
        ]


def _status_request(settings: IngressSettings, sid: str) -> WebhookRequest:
    account, _, token = settings.auth_tokens[0].rpartition("=")
    params = sample(_KIND, {"MessageSid": sid, **({"AccountSid": account} if account else {})}).params
    return sign_form(f"{settings.public_urls[0]}/twilio", params, token)


async def _wait_until_settled(settings: IngressSettings, sid: str, timeout_s: float) -> _EventState:
    """Poll until the event is settled or dead, for `timeout_s` at most."""
    redis = RedisConnectionManager(settings.redis, settings.partitions, SystemClock(), get_logger("doctor"))
    try:
        await redis.monitor.locate()
        partition = partition_of(sid, await partitions_in_use(redis) or settings.partitions)
        topics = {route.topic for route in settings.routes if route.path == "/twilio" and route.topic} or {STATUSES}
        deadline = asyncio.get_running_loop().time() + timeout_s
        while (state := await _read_state(redis, partition, topics, sid)) is _EventState.WAITING:
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(_POLL_S)
        return state
    finally:
        await redis.close()


async def _read_state(redis: RedisConnectionManager, partition: int, topics: Iterable[str], sid: str) -> _EventState:
    for topic in topics:
        if await is_among_newest(redis, redis.keys.topic(partition, topic), sid, _ENTRIES):
            conditions, waits = redis.keys.conditions(partition), f"{topic}:kind:{_KIND}"
            unhandled = await redis.execute("look", conditions, "SISMEMBER", conditions, waits)
            return _EventState.UNHANDLED if unhandled else _EventState.WAITING
    return _EventState.DEAD if await is_among_newest(redis, redis.keys.dead(partition), sid, _ENTRIES) else _EventState.SETTLED


def _judge(sid: str, state: _EventState) -> Finding:
    text = f"the status of the test message {sid} {state.value}"
    if state is _EventState.SETTLED:
        return fine(CHECK, f"{text}: it passed ingress, Redis and a handler, or is in the spool")
    if state is _EventState.DEAD:
        meaning = f"It passed ingress and Redis, but the handler of {_KIND} failed, or there is none."
        return warning(CHECK, text, meaning, "See hookline dead list, and discard this one.")
    if state is _EventState.UNHANDLED:
        return warning(
            CHECK,
            text,
            f"It passed ingress and Redis, but no processor has a handler of {_KIND}. Its events wait for one, and become dead "
            "letters after PROCESSOR_UNHANDLED_WAIT_S.",
            f"Register a handler of {_KIND}, or ignore it; see hookline retry list.",
        )
    return warning(
        CHECK,
        text,
        "It reached Redis, but no handler has finished with it.",
        "See hookline status.",
    )
