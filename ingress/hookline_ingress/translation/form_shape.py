"""What follows from the names of a form's parameters alone. Pure.

It is cached, since the forms of one product have the same names in the same order again and again.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Final

from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.kinds import candidates
from hookline_shared.catalogue.sids import ACCOUNT_NAMES

_NAME: Final = re.compile(r"[^\x00-\x1f\x7f/?#&=]+")
"""The name of a parameter. Twilio's own have letters, digits, `_`, `.` and brackets; those of Studio are the user's."""


class FormShape:
    """What the distinct `names` of a form's parameters, in the order in which they were sent, say about it.

    `sort_parts` sorts names and values in turn by name, as they are signed; it is None if one of the names is none that Twilio
    makes. `account_names` are the names that may be that of the account. `kinds` are those that the parameters may match.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self.account_names = tuple(name for name in ACCOUNT_NAMES if name in names)
        self.sort_parts = _sorter(names) if all(map(_NAME.fullmatch, names)) else None

    @cached_property
    def kinds(self) -> Sequence[Kind]:
        """The kinds, in the order in which they are to be tried. Found only for a form that is verified: that takes time."""
        return candidates(self._names)


@lru_cache(maxsize=64)
def shape_of(names: tuple[str, ...]) -> FormShape:
    """Return the shape of a form with these names."""
    return FormShape(names)


def _sorter(names: Sequence[str]) -> Callable[[Sequence[str]], Iterable[str]]:
    fields = sorted(range(len(names)), key=names.__getitem__)
    return itemgetter(*(part for field in fields for part in (2 * field, 2 * field + 1))) if fields else tuple


NO_FORM: Final = shape_of(())
"""The shape of a form without parameters."""
