"""The alerts about what handlers send and answer."""

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
    Rule(
        "callers_fell_back",
        Watcher.INGRESS,
        Threshold(threshold=1, clear=0, for_s=0, window_s=60, level=Level.CRITICAL),
        Unit.COUNT,
        "requests on live routes in the window that got the fallback",
        "Callers who heard the fallback in the last {window}, or hooks that got it: {value} (threshold: {threshold}).",
        "Their handlers did not answer within INGRESS_HOLD_S, or failed for good.",
        "Run `hookline status`: is a processor running, and are calls waiting? `hookline dead list --topic calls` has the "
        "errors of those that failed.",
    ),
)
