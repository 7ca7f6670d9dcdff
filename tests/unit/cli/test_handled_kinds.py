"""Which kinds some processors handle and others do not."""

from collections.abc import Sequence

from hookline_cli.status.handled_kinds import differences
from hookline_shared.readers.published import Published
from hookline_shared.readers.survey import Processor


def processor(name: str, handled: Sequence[str], ignored: Sequence[str] = ()) -> Processor:
    return Processor(name, 100, Published("0.1.0", 8, 10, ("messages",), tuple(handled), tuple(ignored)))


def found(*processors: Processor) -> list[str]:
    return [gap.found for gap in differences(processors)]


def test_same_kinds() -> None:
    """Equal sets are no difference, in whatever order, nor is what both ignore."""
    a = processor("a", ["message.received", "call.received"], ["call.status"])
    assert found(a, processor("b", ["call.received", "message.received"], ["call.status"])) == []
    assert found(a) == []
    assert found() == []


def test_kinds_that_are_missing_are_named() -> None:
    """Kinds that the same processors lack are one text, which names both."""
    new = processor("new", ["message.received", "call.received", "call.status"])
    texts = found(new, processor("old-1", ["message.received"]), processor("old-2", ["message.received"]))
    assert texts == [
        "Each of the processors old-1, old-2 has no handler for call.received, call.status, which other processors handle."
    ]
    (gap,) = differences([new, processor("old-1", ["message.received"])])
    assert "PROCESSOR_UNHANDLED_WAIT_S" in gap.meaning
    assert "finish the deployment" in gap.remedy


def test_each_lacks_what_the_other_has() -> None:
    texts = found(processor("a", ["message.received"]), processor("b", ["call.received"]))
    assert sorted(texts) == [
        "Processor a has no handler for call.received, which other processors handle.",
        "Processor b has no handler for message.received, which other processors handle.",
    ]


def test_patterns_cover_kinds() -> None:
    """A processor that handles a family, or everything, lacks none of its kinds; one with single kinds lacks the family."""
    everything, family = processor("e", ["*"]), processor("f", ["message.*", "call.*"])
    single = processor("s", ["message.received"])
    assert found(everything, processor("e2", ["*", "message.received"])) == []
    assert found(family, single) == ["Processor s has no handler for call.*, message.*, which other processors handle."]
    assert found(everything, family) == ["Processor f has no handler for *, which other processors handle."]


def test_ignored_kinds_are_dropped() -> None:
    """A kind that one handles and another one ignores is not lost in silence: it is told, and as what."""
    (gap,) = differences([processor("a", ["*"]), processor("b", ["message.received"], ["*"])])
    assert gap.found == "Processor b ignores *, which other processors handle."
    assert "dropped" in gap.meaning


def test_older_version_is_unknown() -> None:
    assert found(processor("a", ["*"]), Processor("b", 100, None)) == []
