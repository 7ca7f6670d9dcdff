"""Which processor should own which partition. Pure: whoever knows the same owners and processors comes to the same answer."""

from collections.abc import Mapping, Sequence
from itertools import islice


def assign(partitions: int, owners: Mapping[int, str], present: Sequence[str]) -> dict[int, str]:
    """Return the processor that should own each partition, none if nobody is `present`.

    `owners` are those that own a partition now, present or not. The shares of any two processors differ by one at most, and a
    partition stays where it is unless its owner is gone or has more than its share.
    """
    held = {name: [number for number in range(partitions) if owners.get(number) == name] for name in set(present)}
    most_first = sorted(held, key=lambda name: (-len(held[name]), name))
    if not most_first:
        return {}
    share, left_over = divmod(partitions, len(most_first))
    shares = {name: share + (rank < left_over) for rank, name in enumerate(most_first)}
    assigned = {number: name for name in most_first for number in held[name][: shares[name]]}
    free = iter([number for number in range(partitions) if number not in assigned])
    for name in most_first:
        room = shares[name] - len(held[name][: shares[name]])
        assigned.update((number, name) for number in islice(free, room))
    return assigned
