"""The input and output of the open load: JSON over standard input and output."""

import msgspec


class OpenPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Send message `first` and those after it, `rate` per second for `seconds` after a lead-in, over so many connections."""

    port: int
    connections: int
    rate: float
    lead_in_s: float
    seconds: float
    first: int


class Beat(msgspec.Struct, frozen=True, array_like=True):
    """A fifth of a second, from `at_s` on: what became of the webhooks that were due in it, and the slowest answer."""

    at_s: float
    answered: int
    failed: int
    worst_ms: float


class OpenOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, and HdrHistograms of microseconds, from when a webhook was due and from when it was sent, in their encoding.

    `late_ms` is the most by which the load itself was behind with something due and a connection free: what it adds to the
    latencies at worst. Waiting for the server to free a connection is not the load's doing, and does not count.
    `acknowledged` are the numbers of the messages that were answered with a 2xx. The first was due at `began_at`, in Unix time.
    """

    answered: int
    failures: dict[str, int]
    histogram: str
    histogram_from_sent: str
    late_ms: float
    acknowledged: list[int]
    began_at: float
    beats: list[Beat]
