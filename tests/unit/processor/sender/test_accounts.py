"""When an account may send, and what becomes of the answers to its requests."""

import asyncio

import aiohttp
import pytest

from hookline_processor.sender.accounts import Accounts
from hookline_processor.sender.outcomes import NotSent, Outcome, Refused, Sent, Trouble, Unknown, explain, reason_of, refusal_of
from hookline_processor.sender.outgoing import place_in
from hookline_processor.sender.twilio_api import LimitedError, NotConnectedError, outcome_of
from hookline_processor.verdicts import Reason
from hookline_shared.event import Event
from hookline_shared.streams.outbox import Mark, Place
from tests.support.observability.logbook import Logbook
from tests.support.time.manual_clock import ManualClock

ACCOUNT = "AC1"
LOST = Unknown("lost")


def event(account: str = ACCOUNT, kind: str = "message.send") -> Event:
    return Event(id="1", kind=kind, key="k", dedupe_key="d", received_at=0, account=account, target="/outbox", body=b"")


@pytest.fixture
async def accounts(clock: ManualClock, logbook: Logbook) -> Accounts:
    return Accounts(lambda account: account != "AC0", clock, logbook.logger)


async def test_failures_in_a_row_close_an_account(accounts: Accounts, clock: ManualClock) -> None:
    """Until one message gets through, which is let through alone; others are not affected."""
    woken: list[int] = []
    end = accounts.on_change(lambda: woken.append(1))
    for _ in range(4):
        accounts.report(ACCOUNT, LOST)
    accounts.report(ACCOUNT, Sent("SM1"))
    for _ in range(5):
        assert accounts.closed_for(event()) is None
        accounts.report(ACCOUNT, LOST)
    assert accounts.closed_for(event()) == ACCOUNT
    assert accounts.claim(ACCOUNT) == 0
    assert accounts.closed_for(event("AC2")) is None
    await clock.advance(1)
    assert woken
    assert accounts.claim(ACCOUNT) == 1
    assert accounts.closed_for(event()) is None, "the probe"
    assert accounts.closed_for(event()) == ACCOUNT, "no other one meanwhile"
    accounts.report(ACCOUNT, Sent("SM1"))
    assert accounts.closed_for(event()) is None
    assert accounts.claim(ACCOUNT) == float("inf")
    end()


async def test_probe_that_asked_nothing_is_given_back(accounts: Accounts, clock: ManualClock) -> None:
    """It is a message in doubt whose next look is not due: another one is let through."""
    accounts.report(ACCOUNT, NotSent(Trouble.LIMITED, "429", 2))
    await clock.advance(3)
    assert accounts.closed_for(event()) is None
    accounts.give_back(ACCOUNT)
    assert accounts.closed_for(event()) is None


async def test_rate_limit_closes_for_as_long_as_twilio_says(accounts: Accounts, clock: ManualClock) -> None:
    """At once, and nobody has to do anything about it."""
    accounts.report(ACCOUNT, NotSent(Trouble.LIMITED, "429", 7))
    assert accounts.seconds_closed(ACCOUNT) == 7
    assert accounts.problems() == {}
    await clock.advance(6)
    assert accounts.closed_for(event()) == ACCOUNT
    await clock.advance(1)
    assert accounts.closed_for(event()) is None


async def test_refused_credentials_are_a_problem(accounts: Accounts, clock: ManualClock, logbook: Logbook) -> None:
    """Until they work again, which is tried now and then."""
    accounts.report(ACCOUNT, NotSent(Trouble.CREDENTIALS, "revoked"))
    assert accounts.problems() == {ACCOUNT: "revoked"}
    await clock.advance(30)
    assert accounts.closed_for(event()) is None
    accounts.report(ACCOUNT, Sent("SM1"))
    assert accounts.problems() == {}
    assert logbook.find("messages are sent again") is not None


async def test_account_without_credentials(accounts: Accounts) -> None:
    """Its messages wait. Events of other kinds have no account that could be closed."""
    assert accounts.closed_for(event("AC0")) == "AC0"
    assert accounts.claim("AC0") == 0
    assert "TWILIO_API_KEY" in accounts.problems()["AC0"]
    assert accounts.closed_for(event("AC0", "message.received")) is None


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 21211, Refused(21211, "m")),
        (404, 20404, Refused(20404, "m")),
        (401, 20003, NotSent(Trouble.CREDENTIALS, "Twilio refuses the credentials (20003)")),
        (403, 0, NotSent(Trouble.CREDENTIALS, "Twilio refuses the credentials (0)")),
        (429, 20429, NotSent(Trouble.LIMITED, "Twilio limits the rate (429)")),
        (408, 0, Unknown("Twilio answered 408")),
        (500, 20500, Unknown("Twilio answered 500")),
        (302, 0, Unknown("Twilio answered 302")),
    ],
)
def test_answers(status: int, code: int, expected: Outcome) -> None:
    """Only what Twilio certainly has not accepted is no doubt."""
    assert refusal_of(status, code, "m") == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotConnectedError("no"), NotSent(Trouble.UNREACHABLE, "no")),
        (LimitedError(3), NotSent(Trouble.LIMITED, "Twilio limits the rate (429)", 3)),
        (TimeoutError(), Unknown("Twilio did not answer in time")),
        (aiohttp.ServerDisconnectedError(), Unknown("Twilio's answer was lost: ServerDisconnectedError")),
        (asyncio.IncompleteReadError(b"", 1), Unknown("Twilio's answer was lost: IncompleteReadError")),
    ],
)
def test_errors(error: BaseException, expected: Outcome) -> None:
    """Whatever happens after the connection is made is a doubt."""
    assert outcome_of(error) == expected


def test_refusals_are_explained() -> None:
    """With what it means, and where to read about it; a code that nobody knows with Twilio's words."""
    assert "STOP" in explain(Refused(21610, "x"))
    assert reason_of(Refused(21610, "x")) is Reason.OPTED_OUT
    assert explain(Refused(12345, "Twilio's words.")) == (
        "Twilio's words (Twilio's error 12345, https://www.twilio.com/docs/api/errors/12345)."
    )
    assert reason_of(Refused(12345, "x")) is Reason.REFUSED


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("/twilio/status?hl=3.n4bQgYhMfWWaL-qgxVrQFa", Place(3, "n4bQgYhMfWWaL-qgxVrQFa")),
        ("/twilio/status?a=b&hl=3.n4bQgYhMfWWaL-qgxVrQFa&c=d", Place(3, "n4bQgYhMfWWaL-qgxVrQFa")),
        ("/twilio/status", None),
        ("/twilio/status?hl=3.short", None),
        ("/twilio/status?xhl=3.n4bQgYhMfWWaL-qgxVrQFa", None),
    ],
)
def test_token_in_a_status_callback(target: str, place: Place | None) -> None:
    """It is in the query that Twilio called, which is signed."""
    assert place_in(target) == place


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("queued", Mark("queued")),
        ("sending 5 9 AC1", Mark("sending 5 9 AC1", 5, 9, "AC1")),
        ("sent AC1 SM1", Mark("sent AC1 SM1", account="AC1", sid="SM1")),
    ],
)
def test_marks(text: str, mark: Mark) -> None:
    """The formats of `begin.lua` and `settle_mark.lua`."""
    assert Mark.parse(text) == mark
    assert mark.is_sending is text.startswith("sending")
