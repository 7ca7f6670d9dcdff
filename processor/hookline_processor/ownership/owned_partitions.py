"""The partitions of this processor, as its other parts see them."""

from hookline_processor.ownership.ownership import Ownership


class OwnedPartitions:
    """The partitions of this processor. Once it stops, they remain those that it had until then."""

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership
        self._last: list[int] | None = None
        self._led = False

    @property
    def numbers(self) -> list[int]:
        """The numbers of the partitions."""
        return self._ownership.numbers if self._last is None else self._last

    def is_leader(self) -> bool:
        """Whether this processor reports the values that all processors see alike."""
        return self._ownership.leads if self._last is None else self._led

    def freeze(self) -> None:
        """Keep the partitions that are owned now: the processor stops, and hands them over."""
        self._last, self._led = self._ownership.numbers, self._ownership.leads
