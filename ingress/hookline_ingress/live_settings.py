"""The settings of live routes."""

from typing import Annotated

from msgspec import Meta

from hookline_shared.live import LONGEST_HOLD_S
from hookline_shared.validation import AtLeastOne, SettingsGroup, Variable


class LiveSettings(SettingsGroup, frozen=True, kw_only=True):
    """How long, and how many, requests wait for their answers."""

    max_waiting: Annotated[
        AtLeastOne,
        Variable(
            "INGRESS_MAX_WAITING", "Largest number of requests that wait for answers. Above it, callers hear a pause first"
        ),
    ] = 5000
    wait_s: Annotated[
        float,
        Meta(gt=0, le=10),
        Variable(
            "INGRESS_LIVE_WAIT_S",
            "Seconds that a request on a live route waits for its answer; 4 at most for what is no call. After that, a call "
            "hears a pause, and Twilio asks again",
        ),
    ] = 5
    hold_s: Annotated[
        int,
        Meta(ge=1, le=LONGEST_HOLD_S),
        Variable(
            "INGRESS_HOLD_S", "Seconds after which a caller whose answer is not there hears the fallback of the live route"
        ),
    ] = 60
