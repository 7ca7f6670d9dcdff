"""The limits that requests and their events pass."""

from typing import NamedTuple

from hookline_ingress.http.proxies import Proxies
from hookline_ingress.limits.addresses import AddressLimit
from hookline_ingress.limits.sender_limit import SenderLimit


class Guards(NamedTuple):
    """The limits that may refuse a request or send its events to the topic bulk. `max_in_flight` counts requests."""

    proxies: Proxies
    senders: SenderLimit
    addresses: AddressLimit
    max_in_flight: int
