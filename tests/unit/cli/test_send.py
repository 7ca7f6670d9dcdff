"""What `hookline send` makes of its options, and how it counts."""

from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hookline_cli.dead.group import DeadCommands
from hookline_cli.ledger.ledger import app as ledger
from hookline_cli.main import Commands, app
from hookline_cli.outbox.group import OutboxCommands
from hookline_cli.retry.group import RetryCommands
from hookline_cli.send.load_generator import NO_ANSWER, LoadOutcome
from hookline_cli.send.load_report import summary
from hookline_cli.send.target import send_target
from hookline_cli.send.templates import SHORT, UnknownKindError, WebhookFactory, find, names, numbers
from hookline_cli.workspace import StackFacts
from hookline_ingress.routing.routes import PATHS
from hookline_ingress.translation.webhook import members
from hookline_shared.catalogue import kinds
from hookline_shared.catalogue.kinds import SINGLE

PUBLIC = "https://hooks.example.com/prefix"
LOCAL = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "name", [*names(), "conversation.onParticipantAdded", "taskrouter.reservation.created", "sync.map_item_added"]
)
def test_webhooks_are_of_their_kind(name: str) -> None:
    """What is made is told as the kind that it is named after, on a path that ingress has, and no two are the same."""
    what = find(name)
    recipe = WebhookFactory(what, {})
    first, second = recipe.make(0), recipe.make(1)
    expected = next(kind for kind in kinds.KINDS.values() if what.kind == kind.name or what.kind.startswith(f"{kind.name}."))
    if expected.elements:
        assert first.body.startswith(b"[{")
    elif expected not in kinds.CLASSIFIED:
        assert expected.fits({str(key): str(value) for key, value in first.params.items()})
    else:
        params = members(first.body) if first.content_type == "application/json" else first.params
        assert kinds.classify(params) is expected
    assert what.path in {*PATHS, "/sendgrid"}
    assert first.body != second.body


def test_every_kind_can_be_sent() -> None:
    """No kind is missing, nor is a family."""
    assert {find(kind).kind for kind in SINGLE} == set(SINGLE)
    assert {one.kind.partition(".")[0] for one in SHORT.values()} >= {
        "conversation",
        "taskrouter",
        "verify",
        "sync",
        "debugger",
    }


@pytest.mark.parametrize(
    "name", ["", "massage", "conversation", "conversation.", "message.sent", "conversations.onMessageAdded"]
)
def test_kinds_that_are_none(name: str) -> None:
    """Anything else is refused, and all that there is named; a family alone is short for its usual kind."""
    if name in SHORT:
        return
    with pytest.raises(UnknownKindError, match=r"message, status, .*conversation\.…"):
        find(name)


def test_senders_take_turns() -> None:
    """Webhooks come from so many different numbers; a parameter that was given counts more."""
    assert len(set(numbers(1000))) == 1000
    recipe = WebhookFactory(find("message"), {}, numbers(2))
    assert [recipe.make(number).params["From"] for number in range(3)] == ["+14155000000", "+14155000001", "+14155000000"]
    assert recipe._replace(changes={"From": "+1"}).make(1).params["From"] == "+1"
    assert "From" not in WebhookFactory(find("verify"), {}, numbers(2)).make(1).params
    assert recipe._replace(json_body=b"[]").make(7).body == b"[]"


@pytest.mark.parametrize(
    ("facts", "url", "target"),
    [
        (StackFacts(), "http://[::1]:1/twilio?a=b#rc=3", ("http://[::1]:1/twilio?a=b",) * 3),
        (StackFacts(), None, (f"{LOCAL}/twilio/message", LOCAL, LOCAL)),
        (StackFacts(public_url=LOCAL, local_url=f"{LOCAL}1"), None, (f"{LOCAL}/twilio/message", LOCAL, LOCAL)),
        (StackFacts(public_url=PUBLIC, local_url=LOCAL), None, (f"{PUBLIC}/twilio/message", PUBLIC, LOCAL)),
        (StackFacts(public_url=PUBLIC), None, (f"{PUBLIC}/twilio/message", PUBLIC, PUBLIC)),
    ],
)
def test_where_it_goes(facts: StackFacts, url: str | None, target: tuple[str, str, str]) -> None:
    """A pair that runs here is reached on this machine, with signatures for the URL that Twilio calls."""
    assert tuple(send_target(facts, url, "/twilio/message")) == target


def test_what_is_in_front_can_be_passed_by() -> None:
    """`--via` sends to a place of its own what is signed for the URL that Twilio calls."""
    target = send_target(StackFacts(public_url=f"{PUBLIC}/in"), None, "/twilio/message", f"{LOCAL}/")
    assert tuple(target) == (f"{PUBLIC}/in/twilio/message", f"{PUBLIC}/in", LOCAL)
    assert tuple(send_target(StackFacts(), "http://[::1]:1/twilio", "/twilio", LOCAL)) == ("http://[::1]:1/twilio",) * 3


def test_latencies_are_measured_ones() -> None:
    """Percentiles are by nearest rank; what was not answered has no latency."""
    outcome = LoadOutcome()
    assert outcome.latencies_ms() == {}
    for number in range(1, 101):
        outcome.note("200", number / 1000)
    outcome.note(NO_ANSWER, 15)
    outcome.note("503", 0.2)
    found = {name: round(value, 6) for name, value in outcome.latencies_ms().items()}
    assert found == {"p50": 51, "p95": 96, "p99": 100, "max": 200}
    assert (outcome.sent, outcome.accepted) == (102, 100)


def test_summary_for_people() -> None:
    """It has the rate, the answers by status, and the latencies."""
    outcome = LoadOutcome()
    for answer in ("200", "200", "503", NO_ANSWER):
        outcome.note(answer, 0.002)
    outcome.seconds = 2.0
    console = Console(width=80)
    with console.capture() as capture:
        console.print(summary(outcome))
    assert capture.get().splitlines() == [
        "4 sent in 2.0 s, 2.0/s",
        "answers  200: 2  503: 1  no answer: 1  ",
        "latency  p50 2.0 ms  p95 2.0 ms  p99 2.0 ms  max 2.0 ms  ",
    ]


_GROUPS: tuple[list[str], ...] = ([], ["dead"], ["retry"], ["outbox"], ["forward"], ["number"], ["alert"], ["ledger"])
_LEDGER = [str(command.name or command.callback.__name__) for command in ledger.registered_commands if command.callback]


@pytest.mark.parametrize(
    "words",
    [
        [],
        *([name] for name in Commands.sources),
        *(["dead", name] for name in DeadCommands.sources),
        *(["retry", name] for name in RetryCommands.sources),
        *(["outbox", name] for name in OutboxCommands.sources),
        ["pause", "list"],
        ["forward", "test"],
        *(["number", name] for name in ("show", "point", "restore")),
        ["alert", "test"],
        *(["ledger", name] for name in _LEDGER),
    ],
)
def test_help_of_every_command(words: list[str]) -> None:
    """Each shows an example and its exit codes, a group at least an example."""
    text = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "120"}).output
    assert "Example: " in text
    assert "Exit codes: 0 " in text or words in _GROUPS


def test_completion_can_be_installed(tmp_path: Path) -> None:
    """Shells complete commands and kinds."""
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).output
    asked = {
        "_HOOKLINE_COMPLETE": "complete_bash",
        "COMP_WORDS": "hookline send call",
        "COMP_CWORD": "2",
        "HOME": str(tmp_path),
    }
    found = CliRunner().invoke(app, [], prog_name="hookline", env=asked).output.split()
    assert sorted(found) == ["call", "call-status", "call.received", "call.status"]
