"""Messages of conversations, as ingress stores them."""

from itertools import count
from urllib.parse import urlencode

from hookline_shared.event import Event, new_event_id
from tests.support.servers.fake_twilio import ACCOUNT

OURS = "+18005551212"
_number = count(1)


def incoming(text: str, key: str, sender: str = "+14155550123", **params: str) -> Event:
    """Return the event of a message with `text` from `sender`, in the lane `key`."""
    number = next(_number)
    sid = f"SM{number:032x}"
    form = {"MessageSid": sid, "From": sender, "To": OURS, "Body": text, "AccountSid": ACCOUNT, **params}
    now_ms = 1_750_000_000_000 + number
    return Event(
        id=new_event_id(now_ms),
        kind="message.received",
        key=key,
        dedupe_key=f"{ACCOUNT}:message.received:{sid}",
        received_at=now_ms,
        account=ACCOUNT,
        content_type="application/x-www-form-urlencoded",
        target="/twilio",
        body=urlencode(form).encode(),
        method="POST",
    )
