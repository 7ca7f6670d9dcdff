"""The options that name which events a pause holds, for `pause` and `resume`."""

from collections.abc import Collection
from typing import Annotated, NamedTuple

import typer

from hookline_shared.errors import HooklineError
from hookline_shared.kinds import FAMILIES, SINGLE
from hookline_shared.streams.waiting.pauses import Pause

TopicOption = Annotated[str, typer.Option("--topic", help="Events of this topic.")]
KindOption = Annotated[str, typer.Option("--kind", help="Events of this kind, or family such as 'conversation.*'.")]
KeyOption = Annotated[
    str,
    typer.Option("--conversation", metavar="KEY", help="Events with this ordering key, such as '+14155550123:+18005551212'."),
]
FromOption = Annotated[str, typer.Option("--from", metavar="NUMBER", help="With --to: the conversation of two numbers.")]
ToOption = Annotated[str, typer.Option("--to", metavar="NUMBER", help="See --from.")]


class Target(NamedTuple):
    """The events that match all of these; an empty one matches everything."""

    topic: str = ""
    kind: str = ""
    key: str = ""

    def is_of(self, pause: Pause) -> bool:
        """Whether `pause` has exactly this target."""
        return (pause.topic, pause.kind, pause.key) == self


def read_target(topics: Collection[str], topic: str, kind: str, key: str, sender: str, receiver: str) -> Target:
    """Return the target that these options name. `topics` are all topics.

    Raises:
        HooklineError: if a name is wrong.

    """
    if topic and topic not in topics:
        raise HooklineError(f"Topic {topic} not found. The topics are {', '.join(topics)}.")
    check_kind(kind)
    if bool(sender) != bool(receiver):
        raise HooklineError("--from and --to belong together: the messages from one number to another are a conversation.")
    if key and sender:
        raise HooklineError("Name the conversation by --conversation, or by --from and --to, not by both.")
    return Target(topic, kind, key or (f"{sender}:{receiver}" if sender else ""))


def check_kind(kind: str) -> None:
    """Check the name of a kind or a family; an empty one is valid.

    Raises:
        HooklineError: if there is no such kind.

    """
    family, _, member = kind.partition(".")
    groups = {name.partition(".")[0] for name in SINGLE if "." in name}
    if not kind or kind in SINGLE or (family in FAMILIES and member) or (family in groups and member == "*"):
        return
    families = ", ".join(f"{name}.*" for name in FAMILIES)
    raise HooklineError(f"Kind {kind} not found. The kinds are {', '.join(SINGLE)}; the families of kinds are {families}.")
