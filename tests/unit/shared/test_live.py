"""The mark of live events, and their answers."""

import pytest
from msgspec.structs import replace

from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.kinds import KINDS
from hookline_shared.event import without_token
from hookline_shared.live import (
    Live,
    LiveAnswer,
    caller_of,
    decode_answer,
    digest_of,
    encode_answer,
    live_of,
    marked,
    waits,
    without_mark,
)
from tests.support.processor.conversations import incoming

KEYS = ["AC1:call.received:CA1:/menu:" + "0" * 32, "AC1:call.received:CA1:/me!60:" + "0" * 32 + "~to-ken", "sha256:ab~x"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("live", [Live(60), Live(5, runs_expired=True), Live(600)])
def test_mark_can_be_read(key: str, live: Live) -> None:
    """Whatever the key is; without the mark and the token it is the one that the signed content made."""
    assert live_of(key) is None
    assert live_of(marked(key, live)) == live
    assert without_mark(marked(key, live)).removesuffix("~") == key
    assert without_token(marked(key, live)) == without_token(key)
    assert without_mark(key) == key


def test_event_is_over_when_nobody_waits() -> None:
    """Unless it is to be handled all the same."""
    assert not Live(60).is_over(0, 60_000)
    assert Live(60).is_over(0, 60_001)
    assert not Live(60, runs_expired=True).is_over(0, 10**9)


def test_what_waits() -> None:
    """Calls and hooks. Not messages, whose replies are sent, nor statuses and batches, whose answers nobody reads."""

    def kinds(condition: bool) -> set[str]:
        return {name for name, kind in KINDS.items() if waits(kind) is condition}

    assert {"call.received", "conversation", "assignment", "studio", "unknown"} <= kinds(True)
    assert {"message.received", "message.status", "call.status", "event.stream", "sendgrid.event"} <= kinds(False)
    assert isinstance(KINDS["call.received"], Kind)


def test_answer_is_read_as_it_was_written() -> None:
    """One that cannot be read has failed: the caller hears the fallback."""
    answer = LiveAnswer("reply", "CA1", "AC1", "e1", 200, "text/xml", "<Response>ü</Response>")
    assert decode_answer(encode_answer(answer).encode()) == answer
    assert decode_answer(None) is None
    assert decode_answer(b"nonsense") == LiveAnswer("failed")


def test_caller() -> None:
    """Of an event that cannot be read, nobody is the caller."""
    event = incoming("hi", "key", CallSid="CA1")
    assert caller_of(event) == ("CA1", event.account)
    assert caller_of(replace(event, body=b"\xff")) == ("", "")
    assert len(digest_of(event.dedupe_key)) == 22
