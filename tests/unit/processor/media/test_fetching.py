"""Fetching attachments, from a real HTTP server on this machine."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hookline import Context, Handlers, Media, MediaError, MessageReceived, RecordingStatus
from hookline.testing import Dead, Done, FakeTwilio, Reason, Retry, Verdict, deliver
from hookline_processor.media import fetcher

PICTURE = bytes(range(256)) * 1000


@pytest.fixture
async def twilio() -> AsyncIterator[FakeTwilio]:
    """Yield a Twilio that has media."""
    async with FakeTwilio() as twilio:
        yield twilio


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "DELAYS_S", (0.0, 0.0, 0.0))


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


class Inbox:
    """A handler of messages and recordings that fetches with `options`, and what it got."""

    def __init__(self, twilio: FakeTwilio) -> None:
        self.twilio = twilio
        self.options: dict[str, Any] = {}
        self.number = 0
        self.got: list[Media] = []
        self.handlers = Handlers()

        @self.handlers.on(MessageReceived, RecordingStatus)
        async def keep(event: MessageReceived | RecordingStatus, _context: Context) -> None:
            self.got.append(await event.fetch_media(self.number, **self.options))

    async def deliver(self, url: str) -> Verdict:
        """Deliver a message with the attachment at `url`."""
        params: dict[str, Any] = {"NumMedia": "1", "MediaUrl0": url, "MediaContentType0": "image/jpeg"}
        return await deliver(self.handlers, MessageReceived, twilio=self.twilio, **params)


@pytest.fixture
def inbox(twilio: FakeTwilio) -> Inbox:
    """Return a handler that fetches."""
    return Inbox(twilio)


async def test_attachment(inbox: Inbox, twilio: FakeTwilio) -> None:
    """It comes with credentials from Twilio, and without them from where Twilio redirects to."""
    assert await inbox.deliver(twilio.add_media(PICTURE, "image/png")) == Done()
    (media,) = inbox.got
    assert (media.content, media.content_type, media.size) == (PICTURE, "image/png", len(PICTURE))
    assert twilio.media.requests == [(False, True), (True, False)]
    assert repr(media) == "<Media image/png, 256000 bytes>"


async def test_attachment_in_a_file(inbox: Inbox, twilio: FakeTwilio, tmp_path: Path) -> None:
    """The file appears when it is complete, and nothing else is left in its folder."""
    path = tmp_path / "picture.png"
    inbox.options = {"path": str(path)}
    assert await inbox.deliver(twilio.add_media(PICTURE)) == Done()
    assert path.read_bytes() == PICTURE
    assert (inbox.got[0].path, inbox.got[0].content) == (path, b"")
    assert names(tmp_path) == ["picture.png"]


async def test_recording(inbox: Inbox, twilio: FakeTwilio) -> None:
    """Its URL is in its status callback."""
    url = twilio.add_media(b"RIFF", "audio/x-wav")
    outcome = await deliver(inbox.handlers, RecordingStatus, twilio=twilio, RecordingUrl=url)
    assert outcome == Done()
    assert inbox.got[0].content == b"RIFF"


async def test_media_that_is_not_there_yet(inbox: Inbox, twilio: FakeTwilio) -> None:
    """Twilio answers 404 at first, for some seconds."""
    assert await inbox.deliver(twilio.add_media(PICTURE, not_ready=3)) == Done()
    assert len(twilio.media.requests) == 5


async def test_media_that_never_comes(inbox: Inbox, twilio: FakeTwilio) -> None:
    """The attempt fails, and is retried like any other. The error does not have the URL."""
    url = twilio.add_media(PICTURE, not_ready=100)
    outcome = await inbox.deliver(url)
    assert isinstance(outcome, Retry)
    assert outcome.failure is not None
    assert "404: it is not there yet" in outcome.failure.message
    assert url not in outcome.failure.message


@pytest.mark.parametrize("in_file", [True, False])
async def test_media_that_are_too_large(inbox: Inbox, twilio: FakeTwilio, tmp_path: Path, *, in_file: bool) -> None:
    """No other attempt changes that, so the event is dead at once, and says what to do. No file is left."""
    inbox.options = {"most_bytes": len(PICTURE) - 1} | ({"path": tmp_path / "picture"} if in_file else {})
    outcome = await inbox.deliver(twilio.add_media(PICTURE))
    assert isinstance(outcome, Dead)
    assert outcome.reason is Reason.REJECTED
    assert "Raise most_bytes" in outcome.failure.message
    assert names(tmp_path) == []


async def test_credentials_stay_with_twilio(inbox: Inbox, twilio: FakeTwilio) -> None:
    """A URL of somebody else is not asked at all: no webhook of Twilio's names one."""
    outcome = await inbox.deliver("https://evil.example/ME1")
    assert isinstance(outcome, Retry)
    assert outcome.failure is not None
    assert "none of Twilio's" in outcome.failure.message
    assert twilio.media.requests == []


async def test_redirects_in_circles(inbox: Inbox, twilio: FakeTwilio) -> None:
    """They end. Twilio itself gets no credentials either after a redirect."""
    url = twilio.add_media(PICTURE)
    twilio.media.redirect_to = url
    twilio.media.authorised = lambda _request: True
    outcome = await inbox.deliver(url)
    assert isinstance(outcome, Retry)
    assert outcome.failure is not None
    assert "again and again" in outcome.failure.message
    assert twilio.media.requests == [(False, True), *[(False, False)] * 5]


async def test_refused_credentials(inbox: Inbox, twilio: FakeTwilio) -> None:
    """A revoked key is said to be one. It is not tried again within the attempt."""
    url = twilio.add_media(PICTURE)
    twilio.media.authorised = lambda _request: False
    outcome = await inbox.deliver(url)
    assert isinstance(outcome, Retry)
    assert outcome.failure is not None
    assert "refuses the credentials (401)" in outcome.failure.message
    assert len(twilio.media.requests) == 1


async def test_attachment_that_the_message_does_not_have(inbox: Inbox, twilio: FakeTwilio) -> None:
    """The error says how many it has."""
    inbox.number = 1
    outcome = await inbox.deliver(twilio.add_media(PICTURE))
    assert isinstance(outcome, Retry)
    assert outcome.failure is not None
    assert "has 1 attachments" in outcome.failure.message


async def test_no_twilio_in_a_test() -> None:
    """The error says how to have one."""
    inbox = Inbox(FakeTwilio())
    outcome = await deliver(inbox.handlers, RecordingStatus)
    assert isinstance(outcome, Retry)
    assert outcome.failure is not None
    assert outcome.failure.type == MediaError.__name__
    assert "twilio=fake_twilio" in outcome.failure.message


def test_twilio_in_a_thread() -> None:
    """For plain tests, and for whoever has no event loop of their own."""
    with FakeTwilio() as twilio:
        assert twilio.environment["TWILIO_API_URL"] == twilio.url
    assert twilio.url.startswith("http://127.0.0.1:")
