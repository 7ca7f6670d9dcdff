"""The Redis keys of an installation that was told no prefix."""

from typing import Final

from hookline_shared.keys import Keys

keys: Final = Keys()
