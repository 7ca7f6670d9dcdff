"""Parse an HTTP/1.1 reply as far as needed to find its end. Pure.

HTTP/1.1 204 No Content\\r\\n
...: ...\\r\\n              Content-Length tells the length of the body; without it there is none
\\r\\n
body

"""

from typing import Final

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\ncontent-length:"


def status_of(reply: bytes) -> str:
    """Return the status code of a reply, such as "204"."""
    return reply[9:12].decode(errors="replace")


def is_whole(reply: bytes) -> bool:
    """Whether `reply` is complete."""
    head_end = reply.find(_HEAD_END)
    if head_end < 0:
        return False
    head = reply[:head_end].lower()
    at = head.find(_LENGTH)
    if at < 0:
        return True
    length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
    return len(reply) - head_end - len(_HEAD_END) >= length
