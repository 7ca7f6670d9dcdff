"""A request on its way through ingress, and what it has become so far."""

from collections.abc import Sequence

import msgspec

from hookline_ingress.http.request import Request, Respond
from hookline_ingress.routing.routes import Route
from hookline_ingress.translation.translate import TranslatedEvent
from hookline_ingress.translation.webhook import Webhook
from hookline_ingress.writer import NotStored, Stored
from hookline_shared.catalogue.kind import Kind


class Delivery(msgspec.Struct, gc=False):
    """A request of a route, until it is answered: `respond` sends the reply. `address` is that of the client.

    Once it is verified, it is in flight, `webhook` is its content, `signer` the name of the secret that verified it, and
    `verified` when, in seconds on the service's clock; else `missing` are the accounts whose tokens have to be asked for.

    Once it is translated, which was at `translated`, it is of `kind`, the kind of the first of its `events`. Of these, `left`
    are not stored yet, and `failure` is why one cannot be. `outcome` is that of the others together: spooled before accepted
    before duplicate.
    """

    request: Request
    route: Route
    respond: Respond
    address: str
    in_flight: bool = False
    webhook: Webhook | None = None
    signer: str = ""
    missing: Sequence[str] = ()
    verified: float = 0.0
    translated: float = 0.0
    kind: Kind | None = None
    events: Sequence[TranslatedEvent] = ()
    left: int = 0
    outcome: Stored = Stored.DUPLICATE
    failure: NotStored | None = None
