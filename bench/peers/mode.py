"""How a peer is set up: `fast` for the race, `default` as it comes, `careful` as its pages tell who must lose nothing."""

import os
from typing import Final

_MODE: Final = os.environ.get("BENCH_MODE", "fast")
FAST: Final = _MODE == "fast"
CAREFUL: Final = _MODE == "careful"
