"""The fields of an event in a stream."""

import uuid
from itertools import chain
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline_shared.errors import UndecodableError
from hookline_shared.event import BODY_FIELD, TEXT_FIELDS, Event, _decode_as_written, decode, new_event_id, text_values

texts = st.text(st.characters(exclude_categories=["Cs"]))
events = st.builds(
    Event,
    id=texts,
    kind=texts,
    key=texts,
    dedupe_key=texts,
    received_at=st.integers(0, 2**53),
    account=texts,
    content_type=texts,
    target=texts,
    body=st.binary(),
    signature=texts,
    signer=texts,
    traceparent=texts,
    method=texts,
)
EVENT = Event(id="1", kind="k", key="key", dedupe_key="d", received_at=1, target="/", body=b"\xff\x00")


def wire(event: Event) -> list[bytes]:
    """Return `event` as Redis gives it back: names and values in turn, all bytes."""
    texts = chain.from_iterable(zip(TEXT_FIELDS, text_values(event), strict=True))
    return [*(text.encode() for text in texts), BODY_FIELD.encode(), event.body]


def without(name: bytes, fields: list[bytes]) -> list[bytes]:
    at = fields.index(name)
    return fields[:at] + fields[at + 2 :]


def replaced(name: bytes, value: bytes) -> list[bytes]:
    return [*without(name, wire(EVENT)), name, value]


@given(events)
def test_round_trip(event: Event) -> None:
    """What is written is read back, whatever the texts and the body are."""
    assert decode(wire(event)) == event


@given(events.filter(lambda event: "\0" not in "".join(text_values(event))))
def test_what_ingress_writes_is_decoded_the_fast_way(event: Event) -> None:
    """In the order of the format, all fields are decoded at once. A field that this forgets would make every event slow."""
    assert _decode_as_written(wire(event)[1::2]) == event


@given(events, st.randoms(use_true_random=False))
def test_order_of_fields_does_not_matter(event: Event, chance: Random) -> None:
    """A tool that rewrote an entry may have changed the order of its fields."""
    fields = wire(event)
    pairs = chance.sample(list(zip(fields[::2], fields[1::2], strict=True)), len(fields) // 2)
    assert decode(list(chain.from_iterable(pairs))) == event


def test_unknown_fields_are_ignored() -> None:
    """An entry with fields of a later version, or of a dead letter, is still read."""
    assert decode([*wire(EVENT), b"reason", b"later", b"odd"]) == EVENT


@pytest.mark.parametrize("name", [name.encode() for name in (*TEXT_FIELDS, BODY_FIELD) if name != "method"])
def test_missing_field_is_named(name: bytes) -> None:
    """An entry that lacks a field is undecodable, and the error says which."""
    with pytest.raises(UndecodableError, match="schema" if name == b"v" else f"field {name.decode()} is missing"):
        decode(without(name, wire(EVENT)))


def test_entry_of_an_earlier_version_has_no_method() -> None:
    """Entries that were written before the method was a field are read all the same."""
    assert decode(without(b"method", wire(EVENT))) == EVENT


@pytest.mark.parametrize("version", [b"2", b"", b"01"])
def test_unknown_schema_is_refused(version: bytes) -> None:
    """An entry of another schema is not guessed at."""
    with pytest.raises(UndecodableError, match="is not b'1'"):
        decode(replaced(b"v", version))


@pytest.mark.parametrize(("name", "value"), [(b"received", b"soon"), (b"received", b""), (b"kind", b"\xff"), (b"key", b"\xc3")])
def test_malformed_field_is_refused(name: bytes, value: bytes) -> None:
    """An entry with a field that cannot be read is undecodable, without its content in the error."""
    with pytest.raises(UndecodableError, match=r"a field is malformed: (ValueError|UnicodeDecodeError)$"):
        decode(replaced(name, value))


@pytest.mark.parametrize("fields", [[], [b"hello"], [b"v"], [b"v", b"1"]])
def test_something_else_entirely_is_refused(fields: list[bytes]) -> None:
    """An entry that somebody else wrote is undecodable, not a crash."""
    with pytest.raises(UndecodableError):
        decode(fields)


@given(
    st.lists(
        st.sampled_from([b"1", b"1", b"", b"a\0b", b"\xff", b"\xc3"]),
        min_size=len(TEXT_FIELDS) + 1,
        max_size=len(TEXT_FIELDS) + 1,
    )
)
def test_values_mean_the_same_in_any_order(values: list[bytes]) -> None:
    """The shortcut for the order of the format accepts what the general way accepts, and nothing else."""
    values[0] = b"1"
    pairs = list(zip((name.encode() for name in (*TEXT_FIELDS, BODY_FIELD)), values, strict=True))
    written, reversed_ = (list(chain.from_iterable(order)) for order in (pairs, pairs[::-1]))
    assert outcome(written) == outcome(reversed_)


def outcome(fields: list[bytes]) -> Event | str:
    """Return the event in `fields`, or the error."""
    try:
        return decode(fields)
    except UndecodableError as error:
        return str(error)


@given(st.integers(0, 2**48 - 1), st.none() | st.integers(0, 2**74 - 1))
def test_event_id_is_a_uuid_of_version_7(now_ms: int, bits: int | None) -> None:
    """Any database and tool that knows UUIDs knows an event id, and finds the time in it."""
    event_id = new_event_id(now_ms, bits)
    parsed = uuid.UUID(event_id)
    assert (parsed.version, parsed.variant, parsed.hex) == (7, uuid.RFC_4122, event_id)
    assert parsed.int >> 80 == now_ms


@given(st.lists(st.integers(0, 2**48 - 1), unique=True))
def test_event_ids_sort_by_time(times: list[int]) -> None:
    """Ids sort as text by the millisecond in which they were made."""
    assert [int(event_id[:12], 16) for event_id in sorted(map(new_event_id, times))] == sorted(times)


def test_event_ids_are_unique() -> None:
    """Two events of one millisecond have two ids."""
    assert len({new_event_id(1_750_000_000_000) for _ in range(10_000)}) == 10_000


def test_all_random_bits_are_used() -> None:
    """Each of the 74 bits that the format leaves to chance is one, and no other is touched."""
    assert new_event_id(0, 0) == "00000000000070008000000000000000"
    assert new_event_id(2**48 - 1, 2**74 - 1) == "ffffffffffff7fffbfffffffffffffff"


def test_event_cannot_be_changed() -> None:
    """What was accepted stays as it is."""
    with pytest.raises(AttributeError):
        EVENT.kind = "other"  # type: ignore[misc]
