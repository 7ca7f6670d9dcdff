"""What /metrics tells of requests: the outcome of each, and how long each stage took, under labels that nobody can add to."""

from collections import Counter
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from hookline_ingress.routing.routes import PATHS
from tests.support.inbound.kinds import message, message_status, unknown
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.ingress_client import raw_exchange, raw_request
from tests.support.ingress.local_ingress import LocalIngress

TWILIO = Twilio()
Sample = tuple[str, frozenset[tuple[str, str]]]


async def scraped(ingress: LocalIngress) -> Counter[Sample]:
    """Return every sample of ingress' metrics but those of durations: its name and labels, and how often it happened."""
    text = (await ingress.admin.request("GET", "/metrics", {})).body.decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return Counter(
        {
            (sample.name, frozenset(sample.labels.items())): round(sample.value)
            for sample in samples
            if sample.name.startswith("hookline_ingress") and sample.name.endswith(("_total", "_count"))
        }
    )


def labelled(counts: Mapping[Sample, int], name: str, *labels: str) -> dict[tuple[str, ...], int]:
    """Return the counts of one metric by the values of `labels`."""
    found = ((dict(pairs), count) for (sample, pairs), count in counts.items() if sample == name)
    return {tuple(pairs[label] for label in labels): count for pairs, count in found}


async def send_requests_of_every_outcome(ingress: LocalIngress) -> None:
    post = ingress.client.post
    genuine = TWILIO.webhook(message(), "/twilio/message")
    for webhook in (genuine, genuine, TWILIO.webhook(message_status()), TWILIO.webhook(unknown(), "/twilio/events")):
        await post(webhook)
    await post(genuine.without_header("X-Twilio-Signature"))
    await post(genuine.with_body(b"Body=other"))
    await post(genuine.with_body(b"Body=%ff"))
    await post(genuine.with_header("Content-Encoding", "gzip"))
    await ingress.client.request("PUT", "/twilio", {}, b"")
    too_large = raw_request(genuine.with_body(b""), ingress.port).replace(b"Content-Length: 0", b"Content-Length: 300000")
    await raw_exchange(ingress.port, too_large)
    for number in range(50):
        await post(TWILIO.webhook(message(), f"/{number}"))


async def test_requests_and_stages(ingress: LocalIngress) -> None:
    """Each request is counted once, by route, code and outcome, and each stage as often as a request came that far."""
    before = await scraped(ingress)
    await send_requests_of_every_outcome(ingress)
    counts = await scraped(ingress)
    counts.subtract(before)
    counts += Counter()  # those that did not change go
    by_outcome = labelled(counts, "hookline_ingress_requests_total", "route", "code", "outcome")
    routed, accepted, unknown_paths = 9, 4, 50
    assert by_outcome == {
        ("/twilio/message", "200", "accepted"): 1,
        ("/twilio/message", "200", "duplicate"): 1,
        ("/twilio", "204", "accepted"): 1,
        ("/twilio/events", "204", "accepted"): 1,
        ("/twilio/message", "403", "no_signature"): 1,
        ("/twilio/message", "403", "bad_signature"): 1,
        ("/twilio/message", "400", "unparsable"): 1,
        ("/twilio/message", "415", "compressed"): 1,
        ("/twilio", "405", "wrong_method"): 1,
        ("none", "413", "too_large"): 1,
        ("none", "404", "unknown_path"): unknown_paths,
    }
    assert labelled(counts, "hookline_ingress_stage_seconds_count", "stage") == {
        ("read",): routed,
        ("verify",): accepted,
        ("translate",): accepted,
        ("write",): accepted,
        ("reply",): routed + unknown_paths,
    }
    assert labelled(counts, "hookline_ingress_request_seconds_count") == {(): routed + unknown_paths}
    assert labelled(counts, "hookline_ingress_signed_total", "signer") == {("token1",): accepted}


async def values_of_labels(ingress: LocalIngress) -> set[tuple[str, str]]:
    """Return every value of every label, of all metrics."""
    text = (await ingress.admin.request("GET", "/metrics", {})).body.decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {pair for sample in samples for pair in sample.labels.items()}


async def test_labels_are_bounded(ingress: LocalIngress) -> None:
    """Whatever paths, methods, families of kinds, keys and addresses come, labels have a small, fixed set of values."""
    before = await values_of_labels(ingress)
    for number in range(30):
        await ingress.client.request(f"M{number}", f"/twilio/{number}", {}, b"")
        await ingress.client.request("POST", f"/twilio?{number}", {"X-Twilio-Signature": str(number)}, b"")
        kind = f"onSomething{number}"
        webhook = TWILIO.webhook((("ConversationSid", f"CH{number}"), ("EventType", kind)), f"/twilio?{number}")
        assert (await ingress.client.post(webhook)).status == 204
    added = await values_of_labels(ingress) - before
    assert {value for label, value in added if label == "route"} <= {*PATHS, "none"}
    assert not any("onSomething" in value for _, value in added)
    assert len(added) < 20
