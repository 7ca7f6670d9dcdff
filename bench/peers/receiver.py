"""What every receiver is told, by its environment. The standard library alone, like `work`."""

import os
from typing import Final

PUBLIC_URL: Final = os.environ["BENCH_PUBLIC_URL"]
TARGET: Final = os.environ["BENCH_TARGET"]
TOKEN: Final = os.environ["BENCH_TOKEN"]
STREAM: Final = "webhooks"
