"""Sessions of people who have signed in. They are in memory: a restart of the console ends all of them.

The cookie has the id of a session, 256 random bits, and nothing else, so there is nothing to forge: an id that is not in
memory is no session. Only the hash of an id is kept.
"""

from collections.abc import Callable
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from hookline_console.access.people import Person

_MOST: Final = 1000
_MOST_OF_PERSON: Final = 20
_ID_BYTES: Final = 32


class Session:
    """A session of `person`. `notice` is shown on the next page. Times are monotonic seconds."""

    def __init__(self, person: Person, began: float) -> None:
        self.person = person
        self.began = began
        self.used = began
        self.notice = ""

    def take_notice(self) -> str:
        """Return the notice, and forget it."""
        notice, self.notice = self.notice, ""
        return notice


class Sessions:
    """All sessions. One ends after `idle_s` without a request, and after `most_s` in any case."""

    def __init__(self, idle_s: float, most_s: float, monotonic: Callable[[], float]) -> None:
        self._idle_s = idle_s
        self._most_s = most_s
        self._monotonic = monotonic
        self._sessions: dict[bytes, Session] = {}
        """By the hash of the id, the oldest first."""

    def open(self, person: Person) -> str:
        """Begin a session, and return its id. The oldest one ends if there are too many of them, or of this person."""
        session_id = token_urlsafe(_ID_BYTES)
        own = [key for key, session in self._sessions.items() if session.person.name == person.name]
        surplus = (
            own[: max(0, len(own) - _MOST_OF_PERSON + 1)] or list(self._sessions)[: max(0, len(self._sessions) - _MOST + 1)]
        )
        for key in surplus:
            del self._sessions[key]
        self._sessions[_key(session_id)] = Session(person, self._monotonic())
        return session_id

    def find(self, session_id: str, *, in_use: bool = True) -> Session | None:
        """Return the session with this id, None if there is none, or it has ended. If `in_use`, it counts as used now."""
        session = self._sessions.get(_key(session_id))
        if session is None or self._has_ended(session):
            self._sessions.pop(_key(session_id), None)
            return None
        if in_use:
            session.used = self._monotonic()
        return session

    def lives(self, session: Session) -> bool:
        """Whether a session that was found earlier has not ended."""
        return session in self._sessions.values() and not self._has_ended(session)

    def end(self, session: Session) -> None:
        """End a session."""
        self._sessions = {key: one for key, one in self._sessions.items() if one is not session}

    def _has_ended(self, session: Session) -> bool:
        now = self._monotonic()
        return now - session.used > self._idle_s or now - session.began > self._most_s


def _key(session_id: str) -> bytes:
    return sha256(session_id.encode(errors="replace")).digest()
