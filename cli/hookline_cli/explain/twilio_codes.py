"""Twilio's error codes that people meet with webhooks, messages and calls.

Source: Twilio's error and warning dictionary, https://www.twilio.com/docs/api/errors, as it was on the date `AS_OF`. Titles are
Twilio's in substance, meanings and remedies are written for users of Hookline. The table is a selection. Twilio has many more
codes, so a code that is missing here is not wrong.
"""

from types import MappingProxyType
from typing import Final, NamedTuple

AS_OF: Final = "2026-11-30"
DICTIONARY: Final = "https://www.twilio.com/docs/api/errors"


class Explanation(NamedTuple):
    """What Twilio calls an error, what it means here, and what to do."""

    title: str
    meaning: str
    remedy: str


_ANSWER: Final = "Run `hookline status`, then `hookline doctor --online`, which sends a signed webhook to PUBLIC_URL."
_CERTIFICATE: Final = "Renew or correct the certificate of the proxy in front of ingress: `openssl s_client -connect HOST:443`."
_TWIML: Final = (
    "Check the `reply` of the route in the TOML file (docs/webhooks.md). A reply is fixed; handlers do not write it."
)
_RECIPIENT: Final = "Check the number. Do not send again to a number that fails each time; ask the person for another one."
_FILTERED: Final = (
    "Check the text against Twilio's messaging policy, and the registration of the sender. Ask Twilio with the SIDs."
)

_WEBHOOKS: Final = {
    11100: ("Invalid URL format", "The webhook's URL in the Twilio console is not a URL.", "Correct it in the console."),
    11200: (
        "HTTP retrieval failure",
        "Twilio got no usable answer to a webhook. It retries only if the URL says so (#rc=3&rp=all), so it may be lost.",
        _ANSWER,
    ),
    11205: (
        "HTTP connection failure",
        "Twilio could not connect within 10 s, or had no answer within 15 s. Ingress was not reached, or is overloaded.",
        f"Check DNS, firewall and proxy. {_ANSWER}",
    ),
    11206: (
        "HTTP protocol violation",
        "The answer was not valid HTTP. A proxy cut or changed it, or HTTP was sent to an HTTPS port.",
        "Check the proxy and its logs. " + _ANSWER,
    ),
    11210: (
        "HTTP bad host name",
        "The host of the webhook's URL cannot be resolved.",
        "Check the URL, and the DNS of its host.",
    ),
    11215: (
        "HTTP too many redirects",
        "A redirect came instead of an answer. Ingress never redirects, so it is the proxy.",
        "Give Twilio the final URL (https, with or without the slash), and set PUBLIC_URL to its beginning.",
    ),
    11217: (
        "HTTP error response code",
        "The answer was a 4xx or 5xx. 403 is a signature that does not match, 404 a wrong path, 429 or 503 an overload.",
        "Look at `outcome` in hookline_ingress_requests_total, or at the log of ingress. " + _ANSWER,
    ),
    11220: ("SSL/TLS handshake error", "Twilio and the proxy found no common TLS version or cipher.", _CERTIFICATE),
    11235: ("Certificate invalid: domain mismatch", "The certificate is for another host than that of the URL.", _CERTIFICATE),
    11236: ("Certificate invalid: certificate expired", "The certificate of the proxy has expired.", _CERTIFICATE),
    11237: (
        "Certificate invalid: could not find path to certificate",
        "The chain is incomplete: an intermediate certificate is missing, or it is self-signed.",
        _CERTIFICATE,
    ),
    11750: ("TwiML response body too large", "The answer was above 64 kB, often an error page of a proxy.", _TWIML),
    12100: ("Document parse failure", "The answer was not XML.", _TWIML),
    12200: (
        "Schema validation warning",
        "The answer was XML, but not the TwiML that Twilio knows; verbs have capitals.",
        _TWIML,
    ),
    12300: ("Invalid Content-Type", "The Content-Type of the answer is missing or is not one for TwiML or audio.", _TWIML),
    12400: (
        "Internal failure",
        "Twilio failed.",
        "Look at https://status.twilio.com. Hookline takes the webhook when it comes.",
    ),
    14103: ("Message: invalid body", "The TwiML verb Message had no text, or more than 1,600 characters.", _TWIML),
}
_API: Final = {
    20003: (
        "Authenticate",
        "Twilio refused the account SID and the token of a call to its API, or the account is suspended.",
        "Check TWILIO_AUTH_TOKEN and the account SID. After a rotation, the services need the new token.",
    ),
    20404: (
        "The requested resource was not found",
        "A SID or a URL of the API does not exist.",
        "Check the SID and the account.",
    ),
    20429: (
        "Too many requests",
        "The account sends too many requests to the API at the same time.",
        "Raise RetryLater(30) in the handler, or lower PROCESSOR_CONCURRENCY.",
    ),
    21211: ("Invalid 'To' phone number", "The number is not one, or not in E.164 form (+14155550123).", _RECIPIENT),
    21212: ("Invalid 'From' phone number", "The sender is not a valid number or caller ID.", "Use a number of this account."),
    21215: (
        "Account not authorized to call this number",
        "The geographic permissions for voice exclude the country.",
        "Allow the country in the console (Voice, Geo permissions), if calls there are intended.",
    ),
    21408: (
        "Permission to send an SMS has not been enabled for the region",
        "The geographic permissions for messaging exclude the country.",
        "Allow the country in the console (Messaging, Geo permissions), if messages there are intended.",
    ),
    21606: (
        "The 'From' phone number is not valid for this message",
        "It cannot send messages, is not of this account, or cannot reach this destination.",
        "Use a number of this account that can send messages.",
    ),
    21608: (
        "The 'To' phone number is not yet verified for this account",
        "A trial account, or one without an approved profile, sends to verified numbers only.",
        "Verify the number in the console, or upgrade the account.",
    ),
    21610: (
        "Attempt to send to unsubscribed recipient",
        "The person has answered STOP to this sender.",
        "Do not send again. Handle `opt_out_type` of message.received, and remember who has opted out.",
    ),
    21611: (
        "The 'From' number has exceeded the maximum number of queued messages",
        "More messages were sent than the number may send within four hours.",
        "Send more slowly, or use a messaging service with several numbers.",
    ),
    21612: (
        "The 'To' phone number is not currently reachable",
        "Twilio has no way from this sender to this number.",
        "Send from another number, perhaps one of the country of the recipient.",
    ),
    21614: ("'To' number is not a valid mobile number", "The number cannot receive SMS.", _RECIPIENT),
    21617: ("The concatenated message body exceeds 1600 characters", "The text is too long.", "Send it in several messages."),
}
_DELIVERY: Final = {
    30001: ("Queue overflow", "More messages were queued than can be sent in time.", "Send more slowly, or from more numbers."),
    30002: (
        "Account suspended",
        "The account was suspended after the message was sent.",
        "Look at the account in the console.",
    ),
    30003: (
        "Unreachable destination handset",
        "The phone is off, has no service, or cannot receive SMS.",
        "Send again later, once or twice. If it keeps failing, the number is wrong.",
    ),
    30004: ("Message blocked", "The recipient, or their carrier, blocks messages from this sender.", _RECIPIENT),
    30005: ("Unknown destination handset", "The number is not in use, or not reachable by SMS.", _RECIPIENT),
    30006: ("Landline or unreachable carrier", "The number is a landline, or its carrier takes no SMS from here.", _RECIPIENT),
    30007: ("Message filtered", "Twilio or a carrier took the message for spam, or for one against a policy.", _FILTERED),
    30008: (
        "Unknown error",
        "The carrier gave no reason, or the phone was unreachable.",
        "Send again. If one carrier or country fails always, ask Twilio with the SIDs.",
    ),
    30009: ("Missing inbound segment", "A part of a long inbound message did not arrive.", "Ask the sender to send it again."),
    30010: ("Message price exceeds max price", "It would cost more than MaxPrice allows.", "Raise MaxPrice, or leave it out."),
    30024: (
        "Numeric sender ID not provisioned on carrier",
        "The country or carrier requires a registration of the number, which is missing or not yet active.",
        "Register the number. After a registration, wait until carriers have it.",
    ),
    30032: ("Toll-free number has not been verified", "Toll-free numbers send only after verification.", "Verify the number."),
    30034: (
        "Message from an unregistered number",
        "In the USA, a 10-digit number must be in a registered campaign (A2P 10DLC).",
        "Register the brand and the campaign, and add the number to its messaging service.",
    ),
    63003: ("Channel could not find the 'To' address", "The number has no account on the channel, as WhatsApp.", _RECIPIENT),
    63016: (
        "Outside the messaging window",
        "More than 24 hours after the person's last message, WhatsApp takes templates only.",
        "Send an approved template with ContentSid, or wait for the person to write.",
    ),
    63018: ("Rate limit exceeded for channel", "The sender sends faster than the channel allows.", "Send more slowly."),
    63021: ("Channel invalid content error", "The channel rejects the media, or the form of the text.", "Check type and size."),
    63024: ("Invalid message recipient", "The recipient cannot receive messages on this channel.", _RECIPIENT),
}
_CALLS: Final = {
    10003: (
        "Incoming call rejected due to inactive account",
        "The account is not active.",
        "Look at the account in the console.",
    ),
    13224: (
        "Dial: Twilio does not support calling this number or the number is invalid",
        "The number is not in E.164 form, does not exist, or no carrier can reach it.",
        "Check the number. Numbers in TwiML need a + and the country code.",
    ),
    13226: ("Dial: invalid country code", "The country code of the number is unknown.", "Correct the number."),
}

CODES: Final = MappingProxyType({code: Explanation(*words) for code, words in (_WEBHOOKS | _API | _DELIVERY | _CALLS).items()})
"""The explanations by code."""


def page_of(code: int) -> str:
    """Return the address of Twilio's page about `code`."""
    return f"{DICTIONARY}/{code}"
