"""LEDGER_BODIES. A file of its own, so that reading settings loads nothing else."""

from enum import StrEnum


class BodyPolicy(StrEnum):
    """`keep` content as it is, `hash` it so that equal texts can be told, or `drop` it."""

    KEEP = "keep"
    HASH = "hash"
    DROP = "drop"
