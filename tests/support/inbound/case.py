"""What is expected of a webhook."""

from typing import NamedTuple

from tests.support.inbound.webhooks import Params


class Case(NamedTuple):
    """A webhook and the expected result. `dedupe` is None where it is a hash, `ordering` "alone" where it has its own lane."""

    params: Params
    kind: str
    topic: str
    ordering: str
    dedupe: str | None
