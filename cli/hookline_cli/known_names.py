"""Check the names of topics, kinds and reasons that somebody typed. An error names the valid ones. Pure."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Final

from hookline_processor.verdicts import Reason
from hookline_shared.catalogue.kinds import FAMILIES, SINGLE
from hookline_shared.errors import HooklineError

_ANY: Final = "*"


class UnknownNameError(HooklineError):
    """A name that does not exist was typed, `text` for a `what`; `names` are the valid ones, `more` follows them."""

    def __init__(self, what: str, text: str, names: Collection[str], more: str = "") -> None:
        meant = get_close_matches(text, names, n=1)
        guess = f" Did you mean {meant[0]}?" if meant else ""
        super().__init__(f"{what.capitalize()} {text} not found.{guess} The {what}s are {', '.join(names)}{more}.")


def check_topics(wanted: Iterable[str], topics: Collection[str]) -> None:
    """Check the names of topics; `topics` are all.

    Raises:
        UnknownNameError: if one does not exist.

    """
    for topic in wanted:
        if topic not in topics:
            raise UnknownNameError("topic", topic, topics)


def check_reasons(wanted: Iterable[str]) -> None:
    """Check the names of reasons of dead letters.

    Raises:
        UnknownNameError: if one does not exist.

    """
    for reason in wanted:
        if reason not in list(Reason):
            raise UnknownNameError("reason", reason, [str(one) for one in Reason])


def check_kinds(wanted: Iterable[str]) -> None:
    """Check the names of kinds and families; `*` and an empty one are valid.

    Raises:
        UnknownNameError: if one does not exist.

    """
    for kind in wanted:
        if kind and kind != _ANY and not _is_kind(kind):
            families = ", ".join(f"{name}.*" for name in FAMILIES)
            raise UnknownNameError("kind", kind, SINGLE, f"; the families of kinds are {families}")


def _is_kind(kind: str) -> bool:
    family, _, member = kind.partition(".")
    groups = {name.partition(".")[0] for name in SINGLE if "." in name}
    return kind in SINGLE or (family in FAMILIES and bool(member)) or (family in groups and member == _ANY)
