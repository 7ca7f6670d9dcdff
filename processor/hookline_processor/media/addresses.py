"""Where credentials of Twilio may go, and where a request for media may be redirected. Pure."""

from base64 import b64encode
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from hookline_shared.catalogue.media import MediaError

_TWILIO: Final = "twilio.com"


class Credentials(NamedTuple):
    """A user name and password for Twilio's API."""

    username: str
    password: str

    @property
    def header(self) -> str:
        """The value of the header Authorization."""
        return f"Basic {b64encode(f'{self.username}:{self.password}'.encode()).decode()}"


def is_twilio(url: str, base: str) -> bool:
    """Whether `url` is one of Twilio's, to which credentials may go; `base` is the base of its API, if that is another one."""
    parts, own = urlsplit(url), urlsplit(base)
    if (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
        return True
    host = parts.hostname or ""
    return parts.scheme == "https" and parts.port in (None, 443) and (host == _TWILIO or host.endswith(f".{_TWILIO}"))


def redirected(url: str, location: str, base: str) -> str:
    """Return the URL to which a request for `url` is redirected. It is in plain text only if the base of the API is, too.

    Raises:
        MediaError: if it is no place to go.

    """
    target = urljoin(url, location)
    parts = urlsplit(target)
    if not location or not parts.hostname or parts.scheme not in ("https", urlsplit(base).scheme):
        raise MediaError("Twilio redirects to a place that is not https, so nothing was fetched.")
    return target
