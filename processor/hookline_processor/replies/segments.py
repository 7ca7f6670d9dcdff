"""How many segments a text takes, each of which is paid for. Pure.

Source: GSM 03.38 and 03.40, and https://www.twilio.com/docs/glossary/what-sms-character-limit.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""They take the room of two."""
_GSM_7: Final = "GSM-7"
_UCS_2: Final = "UCS-2"
_ROOM: Final = {_GSM_7: (160, 153), _UCS_2: (70, 67)}
"""The room of a single segment, and of one of several, whose header takes the rest."""


class Segments(NamedTuple):
    """The encoding of a text, the number of its segments, and the character that is not in GSM-7, if there is one."""

    encoding: str
    number: int
    culprit: str = ""

    def __str__(self) -> str:
        """Return them for people."""
        because = f", because of {self.culprit!r}" if self.culprit and self.number > 1 else ""
        return f"{self.number} {'segment' if self.number == 1 else 'segments'} of {self.encoding}{because}"


def segments_of(text: str) -> Segments:
    """Return how `text` is sent, without smart encoding. One character outside of GSM-7 more than halves the room of all."""
    culprit = next((one for one in text if one not in _BASIC and one not in _EXTENDED), "")
    if culprit:
        return Segments(_UCS_2, _packed((len(one.encode("utf-16-le")) // 2 for one in text), *_ROOM[_UCS_2]), culprit)
    return Segments(_GSM_7, _packed((1 + (one in _EXTENDED) for one in text), *_ROOM[_GSM_7]))


def _packed(sizes: Iterable[int], single: int, several: int) -> int:
    """Return the number of segments for characters of such `sizes`, none of which is split: an emoji moves to the next one."""
    sizes = list(sizes)
    if sum(sizes) <= single:
        return 1
    number, used = 1, 0
    for size in sizes:
        if used + size > several:
            number, used = number + 1, 0
        used += size
    return number
