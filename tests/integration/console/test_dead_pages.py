"""Dead letters in the console: seen by error, replayed and discarded after a dry run, each with a record."""

import re

import redis

from tests.support.console.local_console import OPERATOR, REVEALER, Browser, LocalConsole
from tests.support.storage.dead_letters import write_dead_letters
from tests.support.storage.stored import PARTITIONS, Stored

_NUMBER = "+14155550123"


def dead(stored: Stored) -> int:
    return sum(len(stored.dead_letters(partition)) for partition in range(PARTITIONS))


def group_links(text: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r'href="(/dead\?[^"]*group=[0-9a-f]+)"', text)))


async def confirm(browser: Browser, path: str, **fields: str) -> str:
    """Send the form of a dry run, and return where the answer leads."""
    (form,) = (form for form in await browser.forms(path) if "why" in form.fields)
    answer = await browser.send(form.action, form.fields | {"why": "fixed"} | fields)
    assert answer.status == 303, await answer.text()
    return answer.headers["Location"]


async def test_without_any_the_page_says_so(console: LocalConsole, redis_client: "redis.Redis") -> None:
    """An empty page says what would be there."""
    write_dead_letters(redis_client, 0)
    assert "every event was handled" in await (await console.signed_in()).text("/dead")


async def test_letters_are_grouped_by_error(console: LocalConsole, redis_client: "redis.Redis") -> None:
    """Thirty letters with three errors are three groups, each with its letters."""
    write_dead_letters(redis_client, 30)
    viewer = await console.signed_in()
    text = await viewer.text("/dead")
    assert "30 dead letters" in text
    links = group_links(text)
    assert len(links) == 3
    assert "10 dead letters" in await viewer.text(links[0])
    assert "10 dead letters" in await viewer.text("/dead?reason=rejected")
    assert "No dead letter matches" in await viewer.text("/dead?older_than=1h")
    unknown = await viewer.text("/dead?kind=message.recieved")
    assert "Did you mean message.received?" in unknown
    assert "is neither an age" in await viewer.text("/dead?newer_than=soon")


async def test_viewer_sees_no_person(console: LocalConsole, redis_client: "redis.Redis") -> None:
    """Numbers and texts are masked, also in the one letter with everything about it; nothing can be done."""
    write_dead_letters(redis_client, 3)
    viewer = await console.signed_in()
    text = await viewer.text("/dead")
    (path, *_) = re.findall(r'href="(/dead/\d+:\d+-\d+)"', text)
    for page in (text, await viewer.text(path)):
        assert _NUMBER not in page
        assert "hello" not in page
        assert "Replay" not in page.replace("replay or retry the row", "")
    assert (await viewer.get("/dead/replay")).status == 403


async def test_reveal_is_recorded(console: LocalConsole, redis_client: "redis.Redis") -> None:
    """Who may reveal sees the text after giving a reason, and the next page is masked again."""
    write_dead_letters(redis_client, 1)
    revealer = await console.signed_in(REVEALER)
    (path, *_) = re.findall(r'href="(/dead/\d+:\d+-\d+)"', await revealer.text("/dead"))
    refused = await revealer.post(f"{path}/reveal")
    assert (refused.status, "a reason is required" in await refused.text()) == (400, True)
    shown = await (await revealer.post(f"{path}/reveal", why="case 812")).text()
    assert "hello 0" in shown
    assert "hello 0" not in await revealer.text(path)
    (record, *_) = await console.components.audit.newest(1)
    assert (record.deed.who, record.deed.action, record.deed.why) == ("ada", "reveal", "case 812")


async def test_group_is_replayed_after_a_dry_run(console: LocalConsole, redis_client: "redis.Redis", stored: Stored) -> None:
    """The dry run says how many and changes nothing; the confirmed form replays them, and both are on record."""
    write_dead_letters(redis_client, 30)
    operator = await console.signed_in(OPERATOR)
    (link, *_) = group_links(await operator.text("/dead"))
    path = link.replace("/dead?", "/dead/replay?")
    assert "Replay 10 dead letters?" in await operator.text(path)
    assert dead(stored) == 30
    where = await confirm(operator, path, rate="100000")
    assert "10 replayed." in await operator.text(where)
    assert dead(stored) == 20
    records = await console.components.audit.newest(2)
    assert [(one.deed.action, one.deed.why, one.deed.outcome) for one in records] == [
        ("replay dead letters", "fixed", "10 replayed."),
        ("replay dead letters", "fixed", ""),
    ]


async def test_what_dies_after_the_dry_run_stays(console: LocalConsole, redis_client: "redis.Redis", stored: Stored) -> None:
    """An operator confirms what they have seen, and nothing that came meanwhile."""
    write_dead_letters(redis_client, 3)
    operator = await console.signed_in(OPERATOR)
    (form,) = (form for form in await operator.forms("/dead/discard") if "why" in form.fields)
    redis_client.execute_command("DEBUG", "SLEEP", "0.002")
    write_dead_letters(redis_client, 5)
    await operator.send(form.action, form.fields | {"why": "tests"})
    assert dead(stored) == 5


async def test_one_letter_is_discarded(console: LocalConsole, redis_client: "redis.Redis", stored: Stored) -> None:
    """The page of a letter leads to the dry run for it alone, and the record says who and why."""
    write_dead_letters(redis_client, 4)
    operator = await console.signed_in(OPERATOR)
    (path, *_) = re.findall(r'href="(/dead/discard\?id=[^"]+)"', await operator.text(await first_letter(operator)))
    assert "1 discarded." in await operator.text(await confirm(operator, path))
    assert dead(stored) == 3


async def first_letter(browser: Browser) -> str:
    """Return the address of a letter."""
    return str(re.findall(r'href="(/dead/\d+:\d+-\d+)"', await browser.text("/dead"))[0])


async def test_wrong_forms_do_nothing(console: LocalConsole, redis_client: "redis.Redis") -> None:
    """A form with a mistake is answered with what is wrong, and leaves no record of an action."""
    write_dead_letters(redis_client, 2)
    operator = await console.signed_in(OPERATOR)
    (form,) = (form for form in await operator.forms("/dead/replay") if "why" in form.fields)
    wrong = await operator.send(form.action, form.fields | {"why": "x", "rate": "many"})
    assert "rate must be a number" in await wrong.text()
    missing = await operator.send(form.action, form.fields)
    assert "a reason is required" in await missing.text()
    assert await console.components.audit.newest(5) == []
