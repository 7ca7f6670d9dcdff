"""Media of WhatsApp on disk."""

from pathlib import Path
from typing import Any

import pytest

from examples.media_to_disk import handlers
from hookline import MessageReceived, Reply
from hookline.testing import FakeTwilio, deliver


async def test_attachments_are_files(fake_twilio: FakeTwilio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named after the message, with the extension of their type."""
    monkeypatch.setenv("MEDIA_DIR", str(tmp_path / "media"))
    urls = [fake_twilio.add_media(b"picture", "image/jpeg", not_ready=1), fake_twilio.add_media(b"voice", "audio/ogg")]
    params: dict[str, Any] = {"NumMedia": "2", "MediaUrl0": urls[0], "MediaContentType0": "image/jpeg"}
    params |= {"MediaUrl1": urls[1], "MediaContentType1": "audio/ogg", "From": "whatsapp:+14155550123"}
    params["To"] = "whatsapp:+14155550100"
    sid = "SM" + "a" * 32
    outcome = await deliver(handlers, MessageReceived, twilio=fake_twilio, MessageSid=sid, **params)
    assert outcome.replies == [Reply("Thank you, 2 received.")]
    found = {path.name: path.read_bytes() for path in sorted((tmp_path / "media").glob("*"))}
    assert list(found.values()) == [b"picture", b"voice"]
    assert next(iter(found)) == f"{sid}-0.jpg"


async def test_too_large(fake_twilio: FakeTwilio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender is told."""
    monkeypatch.setenv("MEDIA_DIR", str(tmp_path))
    url = fake_twilio.add_media(b"x" * ((16 << 20) + 1))
    outcome = await deliver(handlers, MessageReceived, twilio=fake_twilio, MediaUrl0=url, MediaContentType0="image/jpeg")
    assert "larger than 16 MB" in outcome.replies[0].body


async def test_text_only(fake_twilio: FakeTwilio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched or said."""
    monkeypatch.setenv("MEDIA_DIR", str(tmp_path))
    assert (await deliver(handlers, MessageReceived, twilio=fake_twilio, Body="hi")).replies == []
    assert fake_twilio.media.requests == []
