"""The assignment of partitions to processors. Pure: all processors compute the same result from the same input."""

from collections.abc import Mapping, Sequence
from itertools import islice


def assign(partitions: int, owners: Mapping[int, str], present: Sequence[str]) -> dict[int, str]:
    """Return the processor that should own each partition; an empty dict if no processor is `present`.

    `owners` are the current owners, present or not. The shares of any two processors differ by at most one. A partition keeps
    its owner unless the owner is gone or has more than its share.
    """
    owned = {name: [number for number in range(partitions) if owners.get(number) == name] for name in set(present)}
    most_first = sorted(owned, key=lambda name: (-len(owned[name]), name))
    if not most_first:
        return {}
    share, left_over = divmod(partitions, len(most_first))
    shares = {name: share + (rank < left_over) for rank, name in enumerate(most_first)}
    assigned = {number: name for name in most_first for number in owned[name][: shares[name]]}
    free = iter([number for number in range(partitions) if number not in assigned])
    for name in most_first:
        missing = shares[name] - len(owned[name][: shares[name]])
        assigned.update((number, name) for number in islice(free, missing))
    return assigned
