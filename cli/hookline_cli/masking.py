"""Showing settings without what is secret in them. Pure."""

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

HIDDEN: Final = "****"

_OPTION: Final = re.compile(r"(?<=[?&])([^=&]*password)=[^&]*", re.IGNORECASE)
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s]*@")


def mask_pair(text: str) -> str:
    """Give `name=secret` without what follows the name, and a secret alone as nothing but hidden."""
    name, equals, _ = text.partition("=")
    return f"{name}={HIDDEN}" if equals else HIDDEN


def mask_url(url: str) -> str:
    """Give `url`, which is well-formed, without the passwords in it."""
    parts = urlsplit(url)
    credentials, at, hosts = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    shown = f"{user}{colon}{HIDDEN if colon else ''}{at}{hosts}"
    masked = parts._replace(netloc=shown, query=_OPTION.sub(rf"\1={HIDDEN}", f"?{parts.query}")[1:])
    return url.split("://", 1)[0] + "://" + urlunsplit(masked._replace(scheme="")).removeprefix("//")


def mask_all_but_host(url: str) -> str:
    """Give `url`, which is well-formed, without all that may be secret: it ends with the host."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{HIDDEN}"


def mask_credentials(text: str) -> str:
    """Give `text`, whatever it is, without the user and password of any URL in it."""
    return _CREDENTIALS.sub(f"{HIDDEN}@", text)
