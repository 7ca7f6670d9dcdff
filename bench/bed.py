"""What every measurement stands on."""

from pathlib import Path
from typing import NamedTuple

from bench.journal import Journal
from bench.machine import Cores
from bench.private_redis import PrivateRedis


class Bed(NamedTuple):
    """The directory for logs and data, the division of the cores, the Redis server, and whom to tell."""

    directory: Path
    cores: Cores
    redis: PrivateRedis
    journal: Journal
