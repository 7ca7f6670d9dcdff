"""`hookline outbox retry` and `hookline outbox drop`: what `hookline retry` does, for messages that are to be sent."""

from pathlib import Path
from typing import Annotated

import typer

from hookline_cli.output.options import AsJson, DataFolder, Yes
from hookline_cli.retry.drop import drop
from hookline_cli.retry.now import retry_now
from hookline_cli.retry.selection import EventOption, KeyOption, WhoOption, WhyOption
from hookline_shared.topics import OUTBOX


def retry_messages(
    key: KeyOption = "",
    event: EventOption = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print how many would be due now.")] = False,
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """Attempt the messages that wait now: all, or those that are chosen. A message in doubt is looked for, not sent again.

    Messages whose account is closed wait again: for credentials, or for Twilio.

    Example: `hookline outbox retry`
    """
    retry_now(topics=[OUTBOX], key=key, event=event, dry_run=dry_run, yes=True, as_json=as_json, data=data)


def drop_messages(
    key: KeyOption = "",
    event: EventOption = "",
    why: WhyOption = "",
    who: WhoOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print how many would be dropped.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """Do not send messages that wait: move them to the dead letters, so that the next one of each conversation is sent.

    Without --event, it drops the first message of each conversation that waits. Whether Twilio has a message in doubt stays
    unknown. `hookline dead replay --topic outbox --reason dropped` sends them after all; it looks first for those in doubt.

    Example: `hookline outbox drop --event 01a2b3c4d5e6f7081920a1b2c3d4e5f6 --why 'the order was cancelled'`
    """
    drop(topics=[OUTBOX], key=key, event=event, why=why, who=who, dry_run=dry_run, yes=yes, as_json=as_json, data=data)
