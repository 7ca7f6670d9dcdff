"""The permissions of the user in REDIS_URL, as documented."""

import re
from pathlib import Path
from typing import Final

from hookline_shared.redis_keys import DEFAULT_PREFIX

_PAGE: Final = Path(__file__).parents[3] / "docs" / "redis.md"


def documented_permissions(prefix: str = DEFAULT_PREFIX) -> list[str]:
    """Return the words for ACL SETUSER, of an installation with `prefix`."""
    found = re.search(r"^`(~hookline:[^`]*)`", _PAGE.read_text(), re.MULTILINE)
    assert found is not None
    return found[1].replace(f"~{DEFAULT_PREFIX}:", f"~{prefix}:").split()
