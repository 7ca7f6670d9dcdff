"""All kinds of events in the catalogue, and their names. Kinds of a family end with Twilio's name of the event."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.products import (
    account,
    call_features,
    conversation_tools,
    conversations,
    devices,
    email,
    messaging,
    recordings,
    streams,
    sync,
    taskrouter,
    verify,
    video,
    voice,
)
from hookline_shared.catalogue.products.email import EMAIL_RECEIVED
from hookline_shared.catalogue.products.messaging import MESSAGE_RECEIVED, MESSAGE_STATUS
from hookline_shared.catalogue.products.streams import STUDIO, UNKNOWN
from hookline_shared.catalogue.sids import Params

ALL: Final[tuple[Kind, ...]] = (
    *messaging.KINDS,
    *recordings.KINDS,
    *voice.KINDS,
    *call_features.KINDS,
    *conversations.KINDS,
    *conversation_tools.KINDS,
    *taskrouter.KINDS,
    *sync.KINDS,
    *video.KINDS,
    *verify.KINDS,
    *account.KINDS,
    *devices.KINDS,
    *email.KINDS,
    *streams.KINDS,
)
"""Every kind. Studio counts before all others, since the author of a flow calls parameters as they like. Otherwise, the first
that matches counts: a transcription, for example, has the parameters of its call, too."""

KINDS: Final = {kind.name: kind for kind in ALL}
CLASSIFIED: Final = tuple(kind for kind in ALL if not kind.elements and kind not in (EMAIL_RECEIVED, UNKNOWN))
"""The kinds that are recognised by the parameters alone, on every path."""

MESSAGE_SEND: Final = "message.send"
"""The kind of messages that are to be sent. They are no webhooks, so it is not in the catalogue."""

_MOST: Final = (MESSAGE_RECEIVED, MESSAGE_STATUS)
"""Most webhooks are of these two kinds."""
_FIRST: Final = (STUDIO, *_MOST)
_IN_ORDER: Final = (*_FIRST, *(kind for kind in CLASSIFIED if kind not in _FIRST))
_TELLING: Final = frozenset(name for kind in _IN_ORDER for names in kind.condition.needs for name in names)
"""The names of all parameters that tell kinds apart."""
_NOT_OF_STUDIO: Final = frozenset({"ApiVersion", "CallbackSource", "StatusCallbackEvent", "specversion"})
"""Names that other products use, and that the author of a flow has no reason to give a parameter."""

FAMILIES: Final = tuple(kind.name for kind in ALL if kind.event_type is not None)
"""The families. Twilio defines what can follow their name."""
SINGLE: Final = tuple(kind.name for kind in ALL if kind.event_type is None)


def classify(params: Params, expected: Kind | None = None, among: Iterable[Kind] | None = None) -> Kind:
    """Return the kind that the parameters of a webhook match, else `expected`, the kind of its route, if that fits them.

    `among` are the candidates, if they are known.

    The author of a Studio flow chooses the parameters of its requests, and may call one MessageSid or RecordingSid. At the
    route for them, a webhook is therefore of another product only if it has what no such request has.
    """
    if expected is STUDIO and _NOT_OF_STUDIO.isdisjoint(params):
        return STUDIO
    for kind in candidates(params) if among is None else among:
        if kind.condition.matches(params):
            return kind
    return expected if expected is not None and expected.fits(params) else UNKNOWN


def candidates(names: Iterable[str]) -> Sequence[Kind]:
    """Return the kinds that parameters with these names may match, in the order in which they are to be tried."""
    return _candidates(_TELLING.intersection(names))


@lru_cache(maxsize=256)
def _candidates(names: frozenset[str]) -> Sequence[Kind]:
    return tuple(kind for kind in _IN_ORDER if not any(names.isdisjoint(one) for one in kind.condition.needs))


@lru_cache(maxsize=1024)
def kind_of(name: str) -> Kind | None:
    """Return the kind with the whole name `name`, None if no kind has it."""
    found = KINDS.get(name.partition(".")[0])
    return found if found is not None and found.event_type is not None else KINDS.get(name)


@lru_cache(maxsize=1024)
def label_of(name: str) -> str:
    """Return the value of the metrics' label for the kind `name`, one of a small, fixed set: one for all kinds of a family."""
    kind = kind_of(name)
    if name == MESSAGE_SEND:
        return name
    return kind.label if kind is not None and kind.name in (*SINGLE, *FAMILIES) else "other"
