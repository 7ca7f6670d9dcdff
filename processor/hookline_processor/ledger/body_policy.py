"""The values of LEDGER_BODIES, in a separate file so that settings import nothing else."""

from enum import StrEnum


class BodyPolicy(StrEnum):
    """`keep` content unchanged, `hash` it so that equal texts stay recognizable, or `drop` it."""

    KEEP = "keep"
    HASH = "hash"
    DROP = "drop"
