"""The filters that select dead letters. Pure."""

from collections.abc import Sequence

import msgspec

from hookline_cli.output.sids import is_sid, mentions
from hookline_cli.output.timestamps import parse_timestamp
from hookline_shared.dead_letter import DeadLetter
from hookline_shared.errors import HooklineError
from hookline_shared.streams.paging import FIRST, LAST


class NotASidError(HooklineError):
    """A text that should be a SID is not one."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a SID: a SID is two capital letters and 32 hexadecimal digits, such as SM0123...")


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """A letter matches if it matches every filter that is set; of several topics, kinds or reasons, one is enough. Ages are
    in the form that `hookline_cli.output.timestamps` parses."""

    topics: Sequence[str] = ()
    kinds: Sequence[str] = ()
    reasons: Sequence[str] = ()
    error: str = ""
    account: str = ""
    key: str = ""
    sid: str = ""
    older_than: str = ""
    newer_than: str = ""

    def __post_init__(self) -> None:
        """Refuse a SID that cannot match."""
        if self.sid and not is_sid(self.sid):
            raise NotASidError(self.sid)

    @property
    def everything(self) -> bool:
        """Whether every letter matches."""
        return self == Selection()

    def bounds(self, now_ms: int) -> tuple[str, str]:
        """Return the first and the last entry id that can match, by age at `now_ms`, Unix time by the clock of Redis."""
        first = str(parse_timestamp(self.newer_than, now_ms)) if self.newer_than else FIRST
        last = str(parse_timestamp(self.older_than, now_ms)) if self.older_than else LAST
        return first, last

    def fits(self, letter: DeadLetter) -> bool:
        """Whether `letter`, which is within `bounds`, matches."""
        return (
            (not self.topics or letter.topic in self.topics)
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.kinds or any(fits_kind(pattern, letter.kind) for pattern in self.kinds))
            and (not self.account or letter.account == self.account)
            and (not self.key or letter.key == self.key)
            and (not self.error or self.error.lower() in letter.error.lower())
            and (not self.sid or mentions(letter.event_fields, self.sid))
        )


def fits_kind(pattern: str, kind: str) -> bool:
    """Whether `kind` is `pattern`, or belongs to its family if it ends with `.*`; `*` matches every kind."""
    return pattern in (kind, "*") or (pattern.endswith(".*") and kind.startswith(pattern[:-1]))
