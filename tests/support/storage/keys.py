"""The Redis keys of an installation with the default prefix."""

from typing import Final

from hookline_shared.redis_keys import Keys

keys: Final = Keys()
