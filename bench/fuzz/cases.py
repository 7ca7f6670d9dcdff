"""One case: some requests on one connection, in packets. Each is made from its number alone, so it can be repeated. Pure."""

from random import Random
from typing import Final, NamedTuple

from bench.fuzz.drafts import signed_draft
from bench.fuzz.framing import DAMAGING, HARMLESS, flip, to_bytes

_SIGNED: Final = 0.36
"""The share of requests that stay validly signed, and framed as HTTP has it."""


class Case(NamedTuple):
    """`packets` is what is sent. Of its `requests`, so many as `signed` says are valid. `changes` names what was changed."""

    packets: list[bytes]
    requests: int
    signed: int
    changes: str


def make_case(seed: int, number: int, corpus: list[bytes]) -> Case:
    """Return case `number` of the run with `seed`; some begin with the bytes of an earlier case, one of `corpus`."""
    source = Random(seed << 40 | number)
    changes: set[str] = set()
    requests = source.choice([1, 2, 3, 4, 8])
    signed = sum(source.random() < _SIGNED for _ in range(requests))
    parts = [_harmless(source, changes) for _ in range(signed)]
    parts += [_damaged(source, changes, corpus) for _ in range(requests - signed)]
    if source.random() < 0.2:  # else the damaged ones come last, since nothing is read behind most of them
        source.shuffle(parts)
    return Case(_packets(b"".join(parts), source), requests, signed, "+".join(sorted(changes)))


def _harmless(source: Random, changes: set[str]) -> bytes:
    draft = signed_draft(source)
    for change in source.sample(HARMLESS, source.choice([0, 1, 2])):
        change(draft, source)
        changes.add(change.__name__)
    return to_bytes(draft, source, damaged=False)


def _damaged(source: Random, changes: set[str], corpus: list[bytes]) -> bytes:
    if corpus and source.random() < 0.1:
        changes.add("corpus")
        return flip(source.choice(corpus), source)
    draft = signed_draft(source)
    for change in source.sample(HARMLESS + DAMAGING, source.choice([1, 2, 3])):
        change(draft, source)
        changes.add(change.__name__)
    data = to_bytes(draft, source, damaged=source.random() < 0.5)
    if source.random() < 0.3:
        changes.add("flip")
        data = flip(data, source)
    return data


def _packets(data: bytes, source: Random) -> list[bytes]:
    """Return `data` in packets: mostly one, else a few, or its beginning byte by byte."""
    kind = source.random()
    if kind < 0.7 or len(data) < 2:
        return [data]
    if kind < 0.97:
        ends = sorted({source.randrange(1, len(data)) for _ in range(source.randrange(1, 6))})
    else:
        ends = list(range(1, min(len(data), 300)))
    return [data[begin:end] for begin, end in zip([0, *ends], [*ends, len(data)], strict=True)]
