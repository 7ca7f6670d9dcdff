"""What every measurement uses."""

from pathlib import Path
from typing import NamedTuple

from bench.report.progress import ProgressLog
from bench.system.machine import Cores
from bench.system.private_redis import PrivateRedis


class Environment(NamedTuple):
    """The directory for logs and data, the division of the cores, the Redis server, and the progress log."""

    directory: Path
    cores: Cores
    redis: PrivateRedis
    progress: ProgressLog
