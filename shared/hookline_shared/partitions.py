"""Which partition an event belongs to."""

from zlib import crc32


def partition_of(key: str, partitions: int) -> int:
    """Give the partition of ordering key `key`, from 0 to `partitions` - 1: crc32 of its UTF-8 bytes modulo the count."""
    return crc32(key.encode()) % partitions
