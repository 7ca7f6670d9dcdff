"""The target of `hookline send`."""

import os
from typing import NamedTuple
from urllib.parse import urlsplit

from hookline_cli.addresses import is_loopback
from hookline_cli.workspace import StackFacts
from hookline_shared.errors import HooklineError
from hookline_shared.validation import split_url

_NOWHERE = "http://127.0.0.1:8080"


class NoUrlError(HooklineError):
    """A given URL is not valid."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url!r} is not an http or https URL. Example: http://127.0.0.1:8080/twilio.")


class SendTarget(NamedTuple):
    """Requests signed for `signed_base` are sent to `base`; both end before the path on ingress. `url` is the signed URL."""

    url: str
    signed_base: str
    base: str


def send_target(facts: StackFacts, url: str | None, path: str, via: str | None = None) -> SendTarget:
    """Return `url`, else the ingress that runs here: signed for its public URL, and sent to this machine if that is elsewhere.

    Requests signed for the public URL are sent to `via`, if it is given.

    Raises:
        NoUrlError: if it is not a URL.

    """
    if url is not None:
        whole = _checked(url)
        return SendTarget(whole, whole, whole)
    public = _checked(facts.public_url or os.environ.get("PUBLIC_URL", _NOWHERE).split(",")[0].strip()).rstrip("/")
    local = facts.local_url if not is_loopback(public) else ""
    base = _checked(via).rstrip("/") if via else local or public
    return SendTarget(f"{public}{path}", public, base)


def _checked(url: str) -> str:
    """Return `url` without its fragment, which only Twilio reads."""
    try:
        parts = split_url(url)
    except ValueError:
        raise NoUrlError(url) from None
    if parts.scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise NoUrlError(url)
    return url.partition("#")[0]
