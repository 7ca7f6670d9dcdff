"""The options that name which events a pause holds, for `pause` and `resume`."""

from collections.abc import Collection
from typing import Annotated, NamedTuple

import typer

from hookline_cli.known_names import check_kinds, check_topics
from hookline_shared.errors import HooklineError
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
    check_topics([topic] if topic else [], topics)
    check_kinds([kind])
    if bool(sender) != bool(receiver):
        raise HooklineError("--from and --to belong together: the messages from one number to another are a conversation.")
    if key and sender:
        raise HooklineError("Name the conversation by --conversation, or by --from and --to, not by both.")
    return Target(topic, kind, key or (f"{sender}:{receiver}" if sender else ""))
