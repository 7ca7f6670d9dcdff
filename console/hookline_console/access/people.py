"""Who uses the console, and what a role permits. Pure."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from hookline_shared.errors import HooklineError


class Role(StrEnum):
    """What somebody may do. Everybody who has signed in is a viewer."""

    VIEWER = "viewer"
    """Sees everything, with numbers and texts masked."""
    OPERATOR = "operator"
    """Changes something: replays, discards, retries, pauses."""
    REVEALER = "revealer"
    """Sees numbers and texts, one page at a time; each time is recorded."""


class UnknownRoleError(HooklineError):
    """A role that does not exist was named."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is no role. The roles are {', '.join(Role)}.")


class Person(NamedTuple):
    """Somebody who has signed in."""

    name: str
    roles: frozenset[Role]

    def may(self, role: Role) -> bool:
        """Whether they have `role`."""
        return role is Role.VIEWER or role in self.roles


def parse_roles(texts: Iterable[str]) -> frozenset[Role]:
    """Return the roles that are named, with the one that everybody has.

    Raises:
        UnknownRoleError: if one does not exist.

    """
    roles = {Role.VIEWER}
    for text in filter(None, (one.strip() for one in texts)):
        if text not in list(Role):
            raise UnknownRoleError(text)
        roles.add(Role(text))
    return frozenset(roles)
