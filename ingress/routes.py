"""Which paths take webhooks."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from ingress.catalogue import CALL_RECEIVED, CALL_STATUS, MESSAGE_RECEIVED, MESSAGE_STATUS, Kind


class Route(NamedTuple):
    """One path. `expected` is the kind it is meant for; None tells the kind from the parameters."""

    path: str
    expected: Kind | None


ROUTES: Final[Mapping[str, Route]] = {
    route.path: route
    for route in (
        Route("/twilio", expected=None),
        Route("/twilio/message", MESSAGE_RECEIVED),
        Route("/twilio/status", MESSAGE_STATUS),
        Route("/twilio/voice", CALL_RECEIVED),
        Route("/twilio/call-status", CALL_STATUS),
    )
}
