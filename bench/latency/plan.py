"""The input and output of the open load: JSON over standard input and output."""

from typing import Final

import msgspec

TWILIO_LIMIT_S: Final = 15.0
"""How long Twilio waits for the answer to a webhook."""


class OpenPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Send message `first` and those after it, `rate` per second for `seconds` after a lead-in, over so many connections.

    After the last was sent, answers are waited for `grace_s` seconds.
    """

    port: int
    connections: int
    rate: float
    lead_in_s: float
    seconds: float
    first: int
    grace_s: float = 5.0


class Second(msgspec.Struct, frozen=True):
    """The webhooks that were due in one second, from `at_s` on: how many had a 2xx within Twilio's limit, and how many failed.

    A webhook fails by another answer or a lost connection. One without any answer is `due` only.
    """

    at_s: int
    due: int
    in_time: int
    failed: int


class OpenOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, and HdrHistograms of microseconds, from when a webhook was due and from when it was sent, in their encoding.

    `late_ms` is the most by which the load itself was behind with something due and a connection free: what it adds to the
    latencies at worst. Waiting for the server to free a connection is not the load's doing, and does not count.
    `took_s` is from when the first was due to the last answer, the lead-in included.
    `acknowledged` are the numbers of the messages that were answered with a 2xx. The first was due at `began_at`, in Unix time.
    """

    answered: int
    failures: dict[str, int]
    histogram: str
    histogram_from_sent: str
    late_ms: float
    acknowledged: list[int]
    began_at: float
    took_s: float
    by_second: list[Second]
