"""What every measurement stands on."""

from pathlib import Path
from typing import NamedTuple

from bench.machine import Cores
from bench.private_redis import PrivateRedis
from bench.progress import ProgressLog


class Environment(NamedTuple):
    """The directory for logs and data, the division of the cores, the Redis server, and whom to tell."""

    directory: Path
    cores: Cores
    redis: PrivateRedis
    progress: ProgressLog
