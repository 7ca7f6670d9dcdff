"""Mask the secrets in settings. Pure."""

import re
from typing import Final
from urllib.parse import urlsplit

HIDDEN: Final = "****"

_OPTION: Final = re.compile(r"(?<=[?&])([^=&]*password)=[^&]*", re.IGNORECASE)
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s]*@")


def mask_pair(text: str) -> str:
    """Return `name=secret` with the secret masked; a text without a name is masked completely."""
    name, equals, _ = text.partition("=")
    return f"{name}={HIDDEN}" if equals else HIDDEN


def mask_url(url: str) -> str:
    """Return `url`, which must be well-formed, with its passwords masked; what is no URL is masked completely."""
    if "://" not in url:
        return HIDDEN
    parts = urlsplit(url)
    credentials, at, hosts = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    shown = f"{user}{colon}{HIDDEN if colon else ''}{at}{hosts}"
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    # Not urlunsplit: it removes slashes of a path like //srv/ledger.db in some versions of Python.
    return url.split("://", 1)[0] + f"://{shown}{parts.path}" + _OPTION.sub(rf"\1={HIDDEN}", query) + fragment


def mask_all_but_host(url: str) -> str:
    """Return `url`, which must be well-formed, with everything after the host masked."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{HIDDEN}"


def mask_credentials(text: str) -> str:
    """Return any `text` with the user and password of every URL in it masked."""
    return _CREDENTIALS.sub(f"{HIDDEN}@", text)
