"""The answers that ingress may give."""

from tests.support.ingress.ingress_client import Reply
from tests.support.storage.stored import Stored


def assert_accepted(reply: Reply, status: int) -> None:
    """A 200 carries empty TwiML, a 204 nothing."""
    if status == 200:
        assert (reply.status, reply.content_type, reply.body) == (200, "text/xml", b"<Response/>")
    else:
        assert (reply.status, reply.body) == (204, b"")


def assert_refused(reply: Reply, status: int, stored: Stored) -> None:
    """A refusal has no body, is never text (which Twilio would send on to the sender), and leaves nothing in Redis."""
    assert (reply.status, reply.body) == (status, b"")
    assert not reply.content_type.startswith("text/plain")
    assert stored.empty()
