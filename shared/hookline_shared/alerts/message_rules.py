"""The alerts about messages that handlers send."""

from typing import Final

from hookline_shared.alerts.rule import Rule, Watcher
from hookline_shared.alerts.thresholds import Level, Threshold
from hookline_shared.alerts.units import Unit

MESSAGE_RULES: Final = (
    Rule(
        "messages_held",
        Watcher.PROCESSOR,
        Threshold(threshold=1, clear=0, for_s=10, level=Level.CRITICAL),
        Unit.COUNT,
        "accounts whose messages wait, because their credentials are missing or refused",
        "Accounts of Twilio that cannot send messages: {value} (threshold: {threshold}).",
        "Replies wait in the topic outbox, and nobody gets them. None is lost.",
        "Ask the processor's admin port for /readyz?verbose, which names the accounts. Set TWILIO_ACCOUNT_SID, TWILIO_API_KEY "
        "and TWILIO_API_SECRET of a key that exists, and restart the processor.",
    ),
    Rule(
        "messages_in_doubt",
        Watcher.PROCESSOR,
        Threshold(threshold=20, clear=5, for_s=60, level=Level.WARNING),
        Unit.COUNT,
        "messages of which nobody knows yet whether Twilio has them",
        "Messages in doubt: {value} (threshold: {threshold}).",
        "Their conversations wait, for two minutes at most while Twilio answers, until each is found or sent again.",
        "Look for `message in doubt` in the processor's log, and at https://status.twilio.com. Set TWILIO_STATUS_CALLBACK, "
        "which resolves most of them at once.",
    ),
)
