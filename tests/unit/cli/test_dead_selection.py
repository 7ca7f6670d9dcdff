"""Which dead letters a command is about, and in which order they are replayed."""

import pytest

from hookline_cli.dead.plan import Order, Plan
from hookline_cli.dead.selection import NotASidError, Selection
from hookline_cli.output.sids import is_sid, mentions
from hookline_shared.dead_letter import DeadLetter
from tests.support.storage.dead_letters import DEATH_CASES, deaths

SID = "SM" + "0123456789abcdef" * 2


def letter(entry: str = "1000-0", partition: int = 0, **fields: str) -> DeadLetter:
    """Return a letter with these fields; `__` in a name stands for a dot."""
    words = [word.replace("__", ".") if at % 2 == 0 else word for at, word in enumerate(w for f in fields.items() for w in f)]
    return DeadLetter(partition, entry, [word.encode() for word in words])


@pytest.mark.parametrize(
    ("selection", "fits"),
    [
        (Selection(), True),
        (Selection(topics=["calls", "events"]), True),
        (Selection(topics=["messages"]), False),
        (Selection(kinds=["conversation.*"]), True),
        (Selection(kinds=["*"]), True),
        (Selection(kinds=["conversation.onMessageAdded", "x"]), True),
        (Selection(kinds=["conversation"]), False),
        (Selection(kinds=["conversation.on.*"]), False),
        (Selection(reasons=["exhausted"]), True),
        (Selection(reasons=["poison"]), False),
        (Selection(error="TIMEOUT: the SHOP"), True),
        (Selection(error="no shop"), False),
        (Selection(account="AC1"), True),
        (Selection(account="AC"), False),
        (Selection(key="+1:+2"), True),
        (Selection(key="+1"), False),
        (Selection(sid=SID), True),
        (Selection(sid=SID[:-1] + "0"), False),
        (Selection(topics=["calls"], reasons=["poison"]), False),
    ],
)
def test_every_filter_must_fit(selection: Selection, fits: bool) -> None:
    """All filters must fit, and of topics, kinds and reasons one of those named."""
    one = letter(
        kind="conversation.onMessageAdded",
        key="+1:+2",
        account="AC1",
        body=f"Body=x&MessageSid={SID}&From=%2B1",
        dead__reason="exhausted",
        dead__error="Timeout",
        dead__message="the shop is closed",
        dead__topic="calls",
    )
    assert selection.fits(one) is fits


def test_ages_become_bounds() -> None:
    """Ages are told from entry ids, so that Redis leaves out the others."""
    assert Selection().bounds(10_000) == ("-", "+")
    assert Selection(older_than="1s", newer_than="4s").bounds(10_000) == ("6000", "9000")
    assert Selection(newer_than="1000s").bounds(10) == ("0", "+")
    assert Selection().everything
    assert not Selection(older_than="0s").everything


@pytest.mark.parametrize("text", ["", "SM1", SID.lower(), SID + "0", "SM" + "g" * 32])
def test_what_is_no_sid(text: str) -> None:
    """A SID that could never be found is a mistake, not an empty answer."""
    assert not is_sid(text)
    if text:
        with pytest.raises(NotASidError):
            Selection(sid=text)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (f"MessageSid={SID}", True),
        (f"a=1&MessageSid={SID}&b=2", True),
        (f'{{"data":{{"messageSid":"{SID}"}}}}', True),
        (f"/twilio?CallSid={SID}", True),
        (f"Body=x{SID}", False),
        (f"Body={SID}0", False),
        (f"Body={SID}0 {SID}", True),
    ],
)
def test_sids_are_whole_words(value: str, found: bool) -> None:
    """A SID is found in forms, JSON and queries, but not as a part of something longer, nor as the name of a field."""
    assert mentions([b"body", value.encode()], SID) is found
    assert not mentions([value.encode(), b""], SID)


def entries(plan: Plan) -> dict[int, list[str]]:
    return {partition: [move.entry for move in queue] for partition, queue in plan.queues()}


def planned(*letters: DeadLetter, force: bool = False) -> Plan:
    plan = Plan(["calls", "messages"], force=force)
    for one in letters:
        plan.add(one)
    return plan


def test_order_is_that_of_arrival() -> None:
    """Letters are replayed in the order in which their events came, whenever they died, and each partition by itself."""
    died = enumerate(deaths(60, cases=DEATH_CASES[:2]))
    made = [DeadLetter(one.partition, f"{9000 - at}-0", [_bytes(word) for word in fields]) for at, (one, fields) in died]
    plan = planned(*made)
    for partition, found in entries(plan).items():
        own = [one for one in made if one.id.partition == partition]
        assert found == [one.id.entry for one in sorted(own, key=lambda one: one.event_id)]


def test_order_in_detail() -> None:
    """The entry id of the first life decides, as a number; then the event id; without an entry id the event id's time."""
    orders = [
        Order.of(letter(id="f" * 32, dead__reason="x", dead__entry="9-1")),
        Order.of(letter(id="0" * 32, dead__reason="x", dead__entry="9-10")),
        Order.of(letter(id="1" * 32, dead__reason="x", dead__entry="9-10")),
        Order.of(letter(id="0" * 32, first__entry="10-0", lives="1", dead__reason="x", dead__entry="99-0")),
        Order.of(letter(id=f"{11:012x}" + "0" * 20, dead__reason="x")),
        Order.of(letter("12-0", id="no id", dead__reason="x", dead__entry="odd")),
    ]
    assert orders == sorted(orders)
    assert len(set(orders)) == len(orders)


def test_what_would_be_of_no_use_stays() -> None:
    """Letters without an event, of a topic that nobody reads, or that cannot be decoded are counted by why they stay."""
    useless = [
        letter(dead__reason="lost", dead__topic="calls"),
        letter(v="1", dead__reason="x", dead__topic="orders"),
        letter(v="1", dead__reason="x"),
        letter(v="9", dead__reason="undecodable", dead__topic="calls"),
    ]
    plan = planned(*useless)
    assert len(plan) == 0
    assert sum(plan.refused.values()) == 4
    assert any("orders" in why for why in plan.refused)
    forced = planned(*useless, force=True)
    assert len(forced) == 1
    assert sum(forced.refused.values()) == 3


def _bytes(word: str | bytes) -> bytes:
    return word if isinstance(word, bytes) else word.encode()
