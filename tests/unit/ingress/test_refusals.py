"""What ingress says while it refuses webhooks."""

from hookline_ingress.refusals import Refusals
from tests.support.time.manual_clock import ManualClock


async def test_refusals_are_told_while_they_are_recent() -> None:
    """The number, the time since when and the latest reason are told, until a minute has passed without one."""
    clock = ManualClock()
    refusals = Refusals(clock)
    assert refusals.warnings() == []
    for reason in ("The disk is slow.", "The disk is full."):
        refusals.note(reason)
        await clock.advance(30)
    (warning,) = refusals.warnings()
    assert "Webhooks are refused with a 503: 2 since " in warning
    assert warning.endswith("the latest 30 s ago: The disk is full.")
    await clock.advance(30)
    assert refusals.warnings() == []
    refusals.note("Redis does not answer.")
    assert ": 1 since " in refusals.warnings()[0]
