"""What may stand in a log line."""

import io
import json
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from hookline_processor.verdicts import Failure
from hookline_shared.observability.logs import CURRENT_EVENT, Redactor, configure_logs, get_logger
from hookline_shared.observability.metrics import LOG_LINES_DROPPED

TOKEN = "0123456789abcdef0123456789abcdef"
PASSWORD = "pa55word"
HIDDEN = "[redacted]"


def fail(message: str) -> None:
    raise ValueError(message)


def redacted(**event: Any) -> dict[str, Any]:
    return dict(Redactor([TOKEN, PASSWORD])(None, "info", event))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"token is {TOKEN}!", f"token is {HIDDEN}!"),
        ("from +14155550123 to +18005551212", "from +***23 to +***12"),
        ("From=%2B14155550123&To=%2b18005551212", "From=%2B***23&To=%2b***12"),
        ("whatsapp:+14155550123", "whatsapp:+***23"),
        ("+14155550123:+18005551212", "+***23:+***12"),
        ("+491511234567890", "+***90"),
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://:hunter2@127.0.0.1:6379/0", f"redis://{HIDDEN}@127.0.0.1:6379/0"),
        ("postgresql+asyncpg://user:hunter2@db/hookline", f"postgresql+asyncpg://{HIDDEN}@db/hookline"),
        ("postgresql://user:hunter@2@db/hookline", f"postgresql://{HIDDEN}@db/hookline"),
        ("see https://a.example.com/x and mail me@example.com", "see https://a.example.com/x and mail me@example.com"),
        ("call +1 415 555 0123 or +44 (20) 7183-8750!", "call +***23 or +***50!"),
        ("1 + 1 = 2, +12 and +123", "1 + 1 = 2, +12 and +123"),
        ("", ""),
    ],
)
def test_text(text: str, clean: str) -> None:
    """Secrets, phone numbers and URL credentials are taken out of any text, and the rest stays."""
    assert redacted(event=text) == {"event": clean}


@pytest.mark.parametrize(
    "name", ["body", "Body", "from", "From", "from_", "to", "To", "params", "token", "auth_token", "password", "signature"]
)
def test_personal_fields_are_hidden_whatever_they_hold(name: str) -> None:
    """A field that holds personal data or a secret shows nothing of it."""
    for value in ("hello", "", 4155550123, {"a": "b"}, ["x"]):
        assert redacted(**{name: value}) == {name: HIDDEN}


def test_nested_values_are_redacted() -> None:
    """What is inside lists and dicts is treated like the rest."""
    facts = {"list": [f"x{TOKEN}", ("+14155550123",)], "dict": {"Body": "hello", "deeper": {"url": "redis://:p@h"}}}
    assert redacted(facts=facts)["facts"] == {
        "list": [f"x{HIDDEN}", ["+***23"]],
        "dict": {"Body": HIDDEN, "deeper": {"url": f"redis://{HIDDEN}@h"}},
    }


def test_names_of_nested_values_are_redacted() -> None:
    """A number is no less personal as the name of a value; names need not be text."""
    assert redacted(counts={"+14155550123": 2, 7: "+14155550123"})["counts"] == {"+***23": 2, 7: "+***23"}


def test_numbers_stay_numbers() -> None:
    """Counts, times and flags are written as they are."""
    assert redacted(count=3, seconds=0.5, ok=True, none=None) == {"count": 3, "seconds": 0.5, "ok": True, "none": None}


def test_objects_are_redacted_as_text() -> None:
    """An error or bytes given as a value are written as redacted text."""
    assert redacted(error=ValueError(f"bad {TOKEN}"), raw=b"From=%2B14155550123") == {
        "error": f"bad {HIDDEN}",
        "raw": "b'From=%2B***23'",
    }


def test_secret_that_contains_another_is_hidden_whole() -> None:
    """No rest of a longer secret is left because a shorter one is part of it."""
    assert Redactor(["abcde", "abcdefgh"]).text("x abcdefgh y") == f"x {HIDDEN} y"


def test_without_secrets_nothing_is_replaced() -> None:
    """An empty secret does not turn every gap into a redaction."""
    assert Redactor(["", TOKEN]).text("abc") == "abc"


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """Yield what is written to standard error, and undo the test's `configure_logs`, which holds on to it."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield capsys
    structlog.reset_defaults()
    root.handlers, root.level = before


def test_line_is_json_with_service_level_and_time(stderr: pytest.CaptureFixture[str]) -> None:
    """A line says who wrote it, when and how bad it is, on standard error."""
    configure_logs("info", "json")
    get_logger("ingress").warning("something", count=1)
    get_logger("ingress").debug("too much detail")
    output = stderr.readouterr()
    (line,) = map(json.loads, output.err.splitlines())
    assert output.out == ""
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "something", "level": "warning", "service": "ingress", "count": 1}


def test_exception_text_is_redacted(stderr: pytest.CaptureFixture[str]) -> None:
    """A traceback shows neither the secret nor the number in the error's message."""
    configure_logs("info", "json", secrets=[TOKEN])
    try:
        fail(f"{TOKEN} and +14155550123")
    except ValueError:
        get_logger("ingress").exception("it failed")
    output = stderr.readouterr().err
    assert "ValueError" in json.loads(output)["exception"]
    assert TOKEN not in output
    assert "ValueError: [redacted] and +***23" in output


def test_lines_of_libraries_are_redacted(stderr: pytest.CaptureFixture[str]) -> None:
    """What libraries log, with arguments and exceptions, goes through the same redaction and format."""
    configure_logs("info", "json", secrets=[TOKEN])
    try:
        fail(TOKEN)
    except ValueError:
        logging.getLogger("aiohttp.server").exception("request of %s failed", "+14155550123")
    output = stderr.readouterr().err
    line = json.loads(output)
    assert line["event"] == "request of +***23 failed"
    assert line["level"] == "error"
    assert "ValueError" in line["exception"]
    assert TOKEN not in output


def test_console_style_is_redacted(stderr: pytest.CaptureFixture[str]) -> None:
    """Lines for people are as discreet as lines for machines."""
    configure_logs("info", "console", secrets=[TOKEN])
    structlog.get_logger().info("signed", by=TOKEN, sender="+14155550123")
    output = stderr.readouterr().err
    assert "signed" in output
    assert TOKEN not in output
    assert "4155550123" not in output


def test_traceback_has_lines_of_its_own_on_a_terminal(stderr: pytest.CaptureFixture[str]) -> None:
    """A failed attempt shows each frame on a line, and no more of secrets, numbers and the event than JSON does."""
    configure_logs("info", "console", secrets=[TOKEN])
    personal = ["what I wrote to you,\nin two lines", "Zoë"]
    try:
        fail(f"{TOKEN} by +14155550123: {personal[0]} ({personal[0]!r}), {personal[0][:20]}, yours, Zoë")
    except ValueError as error:
        failure = Failure.of(error).redacted(personal)
        get_logger("processor").warning("attempt failed", error=failure.message, traceback=failure.traceback, attempt=1)
        get_logger("processor").warning("event is dead", error=failure.message, traceback=failure.traceback, reason="rejected")
    output = stderr.readouterr().err
    lines = output.splitlines()
    (first, second) = (number for number, line in enumerate(lines) if "[warning" in line)
    assert lines[first + 1 : second] == lines[second + 1 :]
    assert lines[first + 1] == "  Traceback (most recent call last):"
    assert f'    File "{__file__}", line' in lines[first + 2]
    assert lines[-1] == f"  ValueError: {HIDDEN} by +***23: {HIDDEN} ({HIDDEN!r}), {HIDDEN}, yours, {HIDDEN}"
    assert "traceback=" not in output
    for secret in (TOKEN, "4155550123", "what I", "two lines", "Zoë"):
        assert secret not in output.replace(lines[first + 3], "").replace(lines[second + 3], "")


def test_exception_on_a_terminal_is_redacted(stderr: pytest.CaptureFixture[str]) -> None:
    """What a library logs with an error is as discreet, and nothing complains of how it is written."""
    configure_logs("info", "console", secrets=[TOKEN])
    try:
        fail(f"{TOKEN} of +14155550123")
    except ValueError:
        logging.getLogger("a.library").exception("it failed")
    *_, last = lines = stderr.readouterr().err.splitlines()
    assert last == f"  ValueError: {HIDDEN} of +***23"
    assert sum("[" in line and "]" in line for line in lines) == 2


def test_lines_inside_of_a_handler_quote_nothing(stderr: pytest.CaptureFixture[str]) -> None:
    """While an event is handled, no line quotes it, whoever logs; what tells which event it is stays."""
    configure_logs("info", "json")
    token = CURRENT_EVENT.set(SimpleNamespace(personal=["my own words", "info", "message"]))
    get_logger("processor").info("said 'my own words'", kind="message.received", attempt=1, nested={"x": ["my+own+words"]})
    logging.getLogger("a.library").warning("message: %s", b"my own words")
    CURRENT_EVENT.reset(token)
    get_logger("processor").info("my own words")
    inside, library, outside = map(json.loads, stderr.readouterr().err.splitlines())
    assert (inside["event"], inside["kind"], inside["level"]) == (f"said '{HIDDEN}'", "message.received", "info")
    assert (inside["attempt"], inside["nested"]) == (1, {"x": [HIDDEN]})
    assert library["event"] == f"{HIDDEN}: b'{HIDDEN}'"
    assert outside["event"] == "my own words"


@pytest.mark.parametrize("sign", ["\x1b", "\x9b", "\u202e", "\u2066", "\r", "\n"])
def test_console_obeys_no_control_characters(sign: str, stderr: pytest.CaptureFixture[str]) -> None:
    """A text from outside moves no cursor, sets no title, turns no direction, and begins no line on a terminal."""
    configure_logs("info", "console")
    get_logger("ingress").info(f"said{sign}x", path=f"/twilio{sign}x", nested=[f"a{sign}"])
    logging.getLogger("a.library").warning("%s", f"a{sign}b")
    written = stderr.readouterr().err
    assert sign not in (written if sign != "\n" else "".join(written.splitlines()))
    assert len(written.splitlines()) == 2


@pytest.mark.parametrize(
    "personal", [["_record", "event", "_from_structlog"], ["this event", "that event", *map(str, range(600))]]
)
def test_lines_are_written_whatever_a_customer_writes(personal: list[str], stderr: pytest.CaptureFixture[str]) -> None:
    """Neither words that are names of fields, nor very many, keep a line from being one."""
    configure_logs("info", "json")
    token = CURRENT_EVENT.set(SimpleNamespace(personal=personal))
    get_logger("processor").info("this event", kind="message.received")
    logging.getLogger("a.library").warning("that event")
    CURRENT_EVENT.reset(token)
    ours, library = map(json.loads, stderr.readouterr().err.splitlines())
    assert (ours["kind"], ours["service"]) == ("message.received", "processor")
    assert [HIDDEN in line["event"] for line in (ours, library)] == [True, True]
    assert [line["event"].endswith("event") for line in (ours, library)] == [False, False]


class Wordless:
    """Cannot be written as text."""

    def __str__(self) -> str:
        raise RuntimeError(TOKEN)

    __repr__ = __str__


@pytest.mark.parametrize("style", ["json", "console"])
async def test_line_that_cannot_be_rendered(style: str, stderr: pytest.CaptureFixture[str]) -> None:
    """Whatever is logged, however wrongly: nothing is raised, and a line says where the wrong one was logged."""
    configure_logs("info", style, secrets=[TOKEN])
    logger, library = get_logger("processor"), logging.getLogger("a.library")
    logger.info("an object", one=Wordless())
    logger.bind(one=Wordless()).warning("bound", deeper=[{"x": Wordless()}])
    logger.error("%d of %d", "one")  # noqa: PLE1206 - that is the mistake
    logger.log(logging.ERROR, "%s", Wordless())
    await logger.ainfo("an object", one=Wordless())
    library.error("%d", "no number")
    library.error("%s", Wordless())
    logger.debug("%d", Wordless())
    lines = stderr.readouterr().err.splitlines()
    assert [line for line in lines if "log line could not be rendered" not in line] == []
    assert len(lines) == 7
    assert sum(__file__ in line for line in lines) >= 6
    assert TOKEN not in "".join(lines)


class ClosedStream(io.StringIO):
    """Takes no more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_stream_that_takes_no_more(stderr: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is no file of the system is no reason to fail, either."""
    monkeypatch.setattr("sys.stderr", ClosedStream())
    before = LOG_LINES_DROPPED.of()
    configure_logs("info", "json")
    get_logger("processor").info("line")
    logging.getLogger("a.library").error("line")
    assert LOG_LINES_DROPPED.of() == before + 2
