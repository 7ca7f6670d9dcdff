"""What the page of `hookline dev` shows of a webhook."""

from hookline_cli.dev.recent import RecentWebhook
from tests.unit.cli.dev.events import event_of


def test_large_webhook_is_cut() -> None:
    """The page asks for all of them every second, so a body of a megabyte must not come whole, in any form."""
    shown = RecentWebhook(event_of([("Body", "x" * 1_000_000)], "unknown"), at=0).shown()
    assert len(shown["params"]["Body"]) + len(shown["body"]) < 50_000
