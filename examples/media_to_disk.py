"""Stores what people send by WhatsApp or MMS in the folder MEDIA_DIR, by default media.

hookline up --handlers examples.media_to_disk:handlers
"""

import asyncio
import os
from mimetypes import guess_extension
from pathlib import Path

from hookline import Context, Handlers, MediaTooLargeError, MessageReceived

handlers = Handlers()


@handlers.on(MessageReceived, timeout=120)
async def store(event: MessageReceived, context: Context) -> str | None:
    """Store all attachments of a message, each in a file that appears when it is complete."""
    folder = Path(os.environ.get("MEDIA_DIR", "media"))
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    stored = 0
    for number, (_, content_type) in enumerate(event.media):
        path = folder / f"{event.message_sid}-{number}{guess_extension(content_type) or ''}"
        try:
            await event.fetch_media(number, path=path, most_bytes=16 << 20)
        except MediaTooLargeError:
            return "Something is larger than 16 MB. Please send it in another way."
        stored += 1
    context.logger.info("media stored", number=stored)
    return f"Thank you, {stored} received." if stored else None
