"""Which paths take webhooks."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from ingress.catalogue import KINDS, Kind


class Route(NamedTuple):
    """One path. `expected` is the kind it is meant for; None tells the kind from the parameters."""

    path: str
    expected: Kind | None


_PREFIX: Final = "/twilio"

ROUTES: Final[Mapping[str, Route]] = {
    route.path: route for route in (Route(_PREFIX, None), *(Route(f"{_PREFIX}{kind.path}", expected=kind) for kind in KINDS))
}
