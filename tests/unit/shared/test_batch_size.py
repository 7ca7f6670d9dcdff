"""Batches of entries of unknown sizes."""

from hypothesis import given
from hypothesis import strategies as st

from hookline_shared.batch_size import BatchSize

MOST, BYTES = 500, 1 << 20


def test_starts_small_and_doubles() -> None:
    """The first entries may be of any size; small ones soon come in large batches."""
    size = BatchSize(MOST, BYTES)
    counts = []
    while size.count < MOST:
        counts.append(size.count)
        size.succeeded(size.count, size.count * 100)
    assert counts == [2, 4, 8, 16, 32, 64, 128, 256]


def test_large_entries_come_one_by_one() -> None:
    """A single entry is asked for, whatever its size."""
    size = BatchSize(MOST, BYTES)
    size.succeeded(2, 20 * BYTES)
    assert size.count == 1


def test_nothing_found_is_no_reason_for_small_batches() -> None:
    """An empty answer says nothing of sizes."""
    size = BatchSize(MOST, BYTES)
    size.succeeded(0, 0)
    assert size.count == 4


@given(st.lists(st.one_of(st.none(), st.integers(1, 20 << 20))), st.integers(1, 1000))
def test_always_at_least_one_and_no_more_than_fit(entry_sizes: list[int | None], most: int) -> None:
    """The next batch fits into the bytes if its entries are like the last ones, and a failure starts again with one."""
    size = BatchSize(most, BYTES)
    for entry in entry_sizes:
        before = size.count
        if entry is None:
            size.failed()
            assert size.count == 1
            continue
        size.succeeded(before, before * entry)
        assert 1 <= size.count <= min(most, 2 * before)
        assert size.count == 1 or size.count * entry <= BYTES


def test_slow_connection_gets_smaller_batches_in_the_end() -> None:
    """If whatever is larger than a bound fails, most batches come through."""
    size, failures = BatchSize(MOST, BYTES), 0
    for _ in range(1000):
        if (asked := size.count) * 1000 > BYTES // 10:
            failures += 1
            size.failed()
        else:
            size.succeeded(asked, asked * 1000)
    assert failures < 100


def test_grows_again_after_failures() -> None:
    """An outage leaves nothing behind."""
    size = BatchSize(MOST, BYTES)
    for _ in range(50):
        size.failed()
    for _ in range(100):
        size.succeeded(size.count, size.count * 2000)
    assert size.count == MOST
