"""What is concluded from who is alive, who owns what, and what processors publish."""

from collections.abc import Sequence

import pytest

from hookline_shared.readers.published import Published, decode, encode
from hookline_shared.readers.survey import Processor, Survey
from hookline_shared.streams.ownership.lease import Lease

TOPICS = ("messages", "calls")


def processor(name: str, topics: Sequence[str] = TOPICS, partitions: int = 4) -> Processor:
    return Processor(name, 100, Published("0.1.0", partitions, 10, tuple(topics), ("*",), ()))


def survey(*processors: Processor, owners: str = "aabb", waiting: dict[str, list[int]] | None = None) -> Survey:
    """Return a survey in which each letter of `owners` is the owner of a partition; `-` has none."""
    leases = [Lease("", 7, 0) if owner == "-" else Lease(owner, 7, 9000) for owner in owners]
    return Survey(processors, leases, waiting or {})


def test_all_is_read() -> None:
    """Nothing is told where every partition has an owner that reads every topic."""
    assert survey(processor("a"), processor("b")).gaps(TOPICS) == []


def test_no_processor() -> None:
    """That is told alone: everything else follows from it."""
    (gap,) = survey(owners="----", waiting={"vip": [1]}).gaps(TOPICS)
    assert gap.found == "No processor is running."


def test_unowned_partitions() -> None:
    (gap,) = survey(processor("a"), owners="aa--").gaps(TOPICS)
    assert gap.found == "No processor owns partitions 2-3."


def test_topic_that_no_processor_has() -> None:
    """A topic that ingress writes is told before it has an event, one of others once it has some."""
    found = survey(processor("a"), processor("b"), waiting={"old": [3]})
    assert found.unread((*TOPICS, "vip")) == {"vip": [0, 1, 2, 3], "old": [3]}
    assert [gap.found for gap in found.gaps((*TOPICS, "vip"))] == [
        "Nobody reads topic old in partition 3.",
        "Nobody reads topic vip in partitions 0-3.",
    ]


def test_topic_that_some_processors_have() -> None:
    """It is read only in the partitions of those."""
    found = survey(processor("a", (*TOPICS, "vip")), processor("b"))
    assert found.unread((*TOPICS, "vip")) == {"vip": [2, 3]}


def test_older_version_is_unknown() -> None:
    """An owner that publishes nothing, or something unreadable, may read everything."""
    found = survey(Processor("a", 100, None), owners="aa--")
    assert found.unread((*TOPICS, "vip")) == {}
    assert found.miscounting() == {}


def test_other_number_of_partitions() -> None:
    found = survey(processor("a"), processor("b", partitions=16))
    assert found.miscounting() == {"b": 16}
    assert "counts 16 partitions, and there are 4" in found.gaps(TOPICS)[0].found


@pytest.mark.parametrize("found", [None, b"", b"{", b"[]", b'{"version": "9"}', b"\xff", b'{"topics": 5}'])
def test_unreadable_publication(found: bytes | None) -> None:
    assert decode(found) is None


def test_publication_of_a_later_version() -> None:
    """Fields that this version does not know are ignored."""
    published = encode(8, 10.0, ["messages"], ["*"], ["call.status"])
    known = decode(published)
    assert known is not None
    assert (known.partitions, known.topics, known.handled, known.ignored) == (8, ("messages",), ("*",), ("call.status",))
    assert decode(published[:-1] + b', "more": [1]}') == known
