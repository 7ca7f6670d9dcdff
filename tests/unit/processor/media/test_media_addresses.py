"""Where credentials go, and where redirects may lead."""

import pytest

from hookline_processor.media.addresses import is_twilio, redirected
from hookline_shared.catalogue.media import MediaError

BASE = "https://api.twilio.com"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1", True),
        ("https://mcs.us1.twilio.com/v1/Services/IS1/Media/ME1", True),
        ("https://api.twilio.com:443/x", True),
        ("http://api.twilio.com/x", False),
        ("https://api.twilio.com:8443/x", False),
        ("https://twilio.com.evil.example/x", False),
        ("https://eviltwilio.com/x", False),
        ("https://api.twilio.com@evil.example/x", False),
        ("https://mms.twiliocdn.com/x", False),
        ("ftp://api.twilio.com/x", False),
        ("", False),
    ],
)
def test_hosts_that_get_credentials(url: str, *, said: bool) -> None:
    """Twilio's own, encrypted."""
    assert is_twilio(url, BASE) is said


def test_another_base() -> None:
    """That of a test or a proxy, with its port and scheme, and no other of that host."""
    assert is_twilio("http://127.0.0.1:8080/x", "http://127.0.0.1:8080")
    assert not is_twilio("http://127.0.0.1:8081/x", "http://127.0.0.1:8080")
    assert not is_twilio("https://127.0.0.1:8080/x", "http://127.0.0.1:8080")


def test_redirects() -> None:
    """To any host by https, and relative ones."""
    assert redirected(f"{BASE}/a", "https://s3.example/b?c", BASE) == "https://s3.example/b?c"
    assert redirected(f"{BASE}/a", "/b", BASE) == f"{BASE}/b"
    for location in ("http://s3.example/b", "", "file:///etc/passwd"):
        with pytest.raises(MediaError, match="not https"):
            redirected(f"{BASE}/a", location, BASE)
