"""How people sign in: by a link in the terminal, by a password, or at a trusted proxy."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from hookline_cli.settings.console import ConsoleSettings
from hookline_console.access.form_tokens import FormTokens
from hookline_console.access.lockout import LockOut
from hookline_console.access.one_time_links import OneTimeLinks
from hookline_console.access.passwords import PasswordFile
from hookline_console.access.people import Person, Role
from hookline_console.access.proxy import TrustedProxies
from hookline_console.access.sessions import Sessions
from hookline_shared.clock import Clock
from hookline_shared.errors import HooklineError

_FAILURES_OF_NAME: Final = 5
_FAILURES_OF_ADDRESS: Final = 20
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600


class Way(StrEnum):
    """How people sign in."""

    LINK = "link"
    PASSWORD = "password"  # noqa: S105 - not one
    PROXY = "proxy"


class LockedOutError(HooklineError):
    """There were too many wrong passwords."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"Too many wrong passwords. Try again in {max(1, round(seconds / _MINUTE_S))} min, or restart the console."
        )


class SignIn:
    """The way in of one console. `tell` prints a line in its terminal."""

    def __init__(self, settings: ConsoleSettings, operator: str, clock: Clock, tell: Callable[[str], None]) -> None:
        monotonic = clock.monotonic
        self.way = Way.PASSWORD if settings.users else Way.PROXY if settings.user_header else Way.LINK
        self.sessions = Sessions(settings.idle_minutes * _MINUTE_S, settings.session_hours * _HOUR_S, monotonic)
        self.tokens = FormTokens()
        self.proxies = TrustedProxies(settings)
        self._terminal = Person(operator, frozenset(Role))
        """Whoever reads the terminal may use the commands, which do all that the console does."""
        self._links = OneTimeLinks(monotonic)
        self._passwords = PasswordFile(settings.users) if settings.users else None
        self._names = LockOut(_FAILURES_OF_NAME, monotonic)
        self._addresses = LockOut(_FAILURES_OF_ADDRESS, monotonic)
        self._tell = tell

    def check(self) -> None:
        """Check what people sign in with.

        Raises:
            PasswordFileError: if the file of passwords cannot be used.

        """
        if self._passwords is not None:
            self._passwords.check()

    def print_link(self, base: str) -> bool:
        """Print a new link in the terminal; return whether that was done. It is not if the last one is seconds old."""
        if self.way is not Way.LINK or not self._links.may_make():
            return False
        link = f"{base}/enter?link={self._links.make()}"
        self._tell(f"Open the console with this link, which works once and for 10 minutes:\n\n  {link}\n")
        return True

    def by_link(self, secret: str) -> Person | None:
        """Return who has this link, None if it is worth nothing."""
        return self._terminal if self.way is Way.LINK and self._links.redeem(secret) else None

    async def by_password(self, name: str, password: str, address: str) -> Person | None:
        """Return who has this password, None if nobody has.

        Raises:
            LockedOutError: if there were too many wrong ones for this name or from this address.
            PasswordFileError: if the file cannot be used.

        """
        if self._passwords is None:
            return None
        if seconds := max(self._names.seconds_left(name), self._addresses.seconds_left(address)):
            raise LockedOutError(seconds)
        self._names.fail(name)  # before the check: many requests at once are not more guesses
        self._addresses.fail(address)
        person = await self._passwords.sign_in(name, password)
        if person is not None:
            self._names.succeed(name)
            self._addresses.succeed(address)
        return person

    def knows(self, name: str) -> bool:
        """Whether somebody with this name may sign in with a password.

        Raises:
            PasswordFileError: if the file cannot be used.

        """
        return self._passwords is not None and self._passwords.knows(name)

    def by_proxy(self, peer: str, headers: Mapping[str, str]) -> Person | None:
        """Return whom a trusted proxy names, None if it names nobody."""
        return self.proxies.person(peer, headers) if self.way is Way.PROXY else None
