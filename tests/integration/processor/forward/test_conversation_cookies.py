"""The cookies of a conversation in Redis, which only the process that read the newest ones may change."""

from http.cookies import Morsel, SimpleCookie

import pytest

from hookline_processor.forward.conversation import Conversations
from hookline_processor.forward.request import AppRequest
from hookline_shared.clock import SystemClock
from hookline_shared.forwards import Forward
from hookline_shared.redis.manager import RedisConnectionManager
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event

_URL = "http://app:3000/sms"
_FORWARD = Forward(path="/twilio", url="http://app:3000")


@pytest.fixture
def conversations(broker: RedisConnectionManager, logbook: Logbook) -> Conversations:
    return Conversations(broker, 1, SystemClock(), logbook.logger)


def setting(value: str) -> list[Morsel[str]]:
    """Return what an app sets."""
    return list(SimpleCookie(f"step={value}; Path=/").values())


async def sent(conversations: Conversations) -> str:
    """Return the cookies that the next request has."""
    cookies = await conversations.cookies(_FORWARD, event())
    return cookies.added_to(AppRequest("POST", _URL, {}, b"")).headers.get("Cookie", "")


async def test_process_that_stood_still_undoes_nothing(conversations: Conversations) -> None:
    """Its partition was taken over while it waited for the app, and the new owner is further."""
    late = await conversations.cookies(_FORWARD, event())
    late.take(_URL, setting("1"))
    for value in ("1", "2"):
        owner = await conversations.cookies(_FORWARD, event())
        owner.take(_URL, setting(value))
        await owner.keep()
    await late.keep()
    assert await sent(conversations) == "step=2"


async def test_cookies_are_replaced_and_deleted(conversations: Conversations) -> None:
    """One event after the other changes them."""
    for value, kept in (("1", "step=1"), ("2", "step=2"), ("; Max-Age=0", "")):
        cookies = await conversations.cookies(_FORWARD, event())
        cookies.take(_URL, setting(value))
        await cookies.keep()
        assert await sent(conversations) == kept
