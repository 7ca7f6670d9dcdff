"""The page of `hookline dev` beside the stack."""

from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from aiohttp import web

from hookline_cli.dev.page import served


def test_page_is_there_during_the_block(tmp_path: Path) -> None:
    """No stack has to run, and nothing is left behind."""
    with served(tmp_path) as url, urlopen(url) as page:
        assert page.status == 200
    with pytest.raises(URLError):
        urlopen(url)


def test_page_that_cannot_be_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ends with the reason, instead of waiting for the page."""

    async def refuse(_site: web.TCPSite) -> None:
        raise OSError("no address")

    monkeypatch.setattr(web.TCPSite, "start", refuse)
    with pytest.raises(OSError, match="no address"), served(tmp_path):
        pass
