"""Settings are settled at the door: read, checked, and all that is wrong said at once."""

import pytest

from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import SettingsError

TOKEN, OTHER_TOKEN = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"

ACCOUNT = "AC" + "1" * 32

PASSWORD = "s3cr3t-pa55word"


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://hooks.example.com")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)


def complaints() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        IngressSettings.load()
    return caught.value.problems


def test_defaults() -> None:
    """With nothing but the two required settings, the documented defaults hold."""
    settings = IngressSettings.load()
    assert settings.redis.url == "redis://127.0.0.1:6379/0"
    assert (settings.partitions, settings.log_level, settings.log_format) == (8, "info", None)
    assert (settings.host, settings.port, settings.admin_host, settings.admin_port) == ("0.0.0.0", 8080, "127.0.0.1", 9080)
    assert (settings.durability, settings.write_budget_ms, settings.dedupe_window_s) == ("memory", 250, 3600)
    assert (settings.backlog_limit, settings.max_in_flight, settings.max_body) == (1_000_000, 1000, 262_144)


@pytest.mark.parametrize(
    ("token", "valid"), [("", True), ("a" * 15, False), ("a" * 16, True), ("0aZ-._~+/=0aZ-._~", True), ("a b" * 9, False)]
)
def test_token_of_admin_ports(monkeypatch: pytest.MonkeyPatch, token: str, valid: bool) -> None:
    """It cannot be guessed and fits a header; it is a secret, so it is not quoted, and it is hidden in logs."""
    monkeypatch.setenv("ADMIN_TOKEN", token)
    if valid:
        settings = IngressSettings.load()
        assert settings.admin_token == (token or None)
        assert (token in settings.secrets()) is bool(token)
        return
    (problem,) = complaints()
    assert problem.startswith("ADMIN_TOKEN is wrong: it must have 16 or more letters")
    assert token not in problem


@pytest.mark.parametrize(
    ("given", "longest", "shutdown", "cuts"),
    [
        *((None, 30, 32, False), (None, 0, 2, False), (None, 38, 40, False), (None, 300, 40, True)),
        *(("25", 30, 25, True), ("302", 300, 302, False), ("0", 30, 0, True)),
    ],
)
def test_handlers_get_their_time_at_a_stop(
    monkeypatch: pytest.MonkeyPatch, given: str | None, longest: float, shutdown: float, cuts: bool
) -> None:
    """By default as long as they may take, unless no deployment waits so long; what contradicts that is told."""
    if given is not None:
        monkeypatch.setenv("PROCESSOR_SHUTDOWN_S", given)
    settings = ProcessorSettings.load()
    assert settings.shutdown_time_s(longest) == shutdown
    assert bool(settings.cuts_handlers(longest)) is cuts


def test_defaults_of_the_processor_fit_each_other() -> None:
    """A handler within its time-out is not cut by a stop."""
    settings = ProcessorSettings.load()
    assert settings.cuts_handlers(settings.handler_timeout_s) is None


def test_every_problem_is_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets this up learns of everything that is missing or wrong in one go, each with its name and meaning."""
    monkeypatch.delenv("PUBLIC_URL")
    monkeypatch.delenv("TWILIO_AUTH_TOKEN")
    wrong = {
        "REDIS_URL": "localhost:6379",
        "HOOKLINE_PARTITIONS": "0",
        "LOG_LEVEL": "chatty",
        "INGRESS_PORT": "65536",
        "INGRESS_ADMIN_PORT": "none",
        "INGRESS_DURABILITY": "eternal",
        "INGRESS_WRITE_BUDGET_MS": "-1",
        "INGRESS_MAX_BODY": "64k",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    found = complaints()
    assert {problem.split()[0] for problem in found} == {*wrong, "PUBLIC_URL", "TWILIO_AUTH_TOKEN"}
    assert len(found) == len(wrong) + 2
    message = str(SettingsError(found))
    assert message.startswith("10 settings to fix before this can start:\n  - ")
    assert all(problem in message for problem in found)


def test_missing_setting_says_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing setting comes with its meaning and an example."""
    monkeypatch.delenv("PUBLIC_URL")
    assert complaints() == [
        "PUBLIC_URL is not set. Base URL that Twilio calls, for example https://hooks.example.com; separate several with "
        "commas."
    ]


@pytest.mark.parametrize("name", ["PUBLIC_URL", "TWILIO_AUTH_TOKEN"])
@pytest.mark.parametrize("value", ["", ",", " , "])
def test_empty_required_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """An empty token or URL is as good as none: nothing starts without verification."""
    monkeypatch.setenv(name, value)
    (problem,) = complaints()
    assert problem.startswith(name)


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://h.example.com", "https://h.example.com"),
        ("https://h.example.com/", "https://h.example.com"),
        ("https://h.example.com:8443/in/", "https://h.example.com:8443/in"),
        ("http://user:password@h.example.com", "http://h.example.com"),
        ("https://[::1]:8080", "https://[::1]:8080"),
        (" https://a.example.com , https://b.example.com ", "https://a.example.com,https://b.example.com"),
    ],
)
def test_public_urls(monkeypatch: pytest.MonkeyPatch, url: str, clean: str) -> None:
    """A base URL is kept as Twilio signs it: without credentials and a trailing slash."""
    monkeypatch.setenv("PUBLIC_URL", url)
    assert IngressSettings.load().public_urls == tuple(clean.split(","))


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com",
        "ftp://h.example.com",
        "https://",
        "https:///path",
        "https://h.example.com/?a=1",
        "https://h.example.com/#rc=3",
        "https://h.example.com:port",
        "https://h.example.com:99999",
        "https://[::1",
        "https://ok.example.com,nonsense",
    ],
)
def test_wrong_public_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What is no base URL is refused at the door, not met as a crash or as refused signatures later."""
    monkeypatch.setenv("PUBLIC_URL", url)
    (problem,) = complaints()
    assert problem.startswith("PUBLIC_URL is wrong: ")


@pytest.mark.parametrize(
    "tokens", [TOKEN, f"{TOKEN},{OTHER_TOKEN}", f"{ACCOUNT}={TOKEN}", f" {ACCOUNT}={TOKEN} , {OTHER_TOKEN},"]
)
def test_tokens(monkeypatch: pytest.MonkeyPatch, tokens: str) -> None:
    """Several tokens, some bound to an account, are read as they stand."""
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", tokens)
    assert IngressSettings.load().auth_tokens == tuple(part.strip() for part in tokens.split(",") if part)


@pytest.mark.parametrize("wrong", ["abc", "AC123=" + TOKEN, f"{ACCOUNT}=", f"{ACCOUNT}={TOKEN}=", "two words", f"={TOKEN}"])
def test_wrong_token_is_named_by_position_only(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """A malformed token is pointed at by its number; the message shows no part of any token."""
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", f"{OTHER_TOKEN},{wrong}")
    (problem,) = complaints()
    assert problem.startswith("TWILIO_AUTH_TOKEN is wrong: number 2 ")
    assert OTHER_TOKEN not in problem
    assert TOKEN not in problem
    assert wrong not in problem


@pytest.mark.parametrize(
    ("url", "password"),
    [
        (f"redis://:{PASSWORD}@127.0.0.1:6379/0", PASSWORD),
        (f"rediss://user:{PASSWORD}@redis.example.com", PASSWORD),
        ("redis://:p%40ss%2Fword@127.0.0.1", "p@ss/word"),
        (f"unix://:{PASSWORD}@/run/redis.sock?db=1", PASSWORD),
        (f"redis://127.0.0.1:6379/0?password={PASSWORD}", PASSWORD),
    ],
)
def test_redis_password_is_a_secret(monkeypatch: pytest.MonkeyPatch, url: str, password: str) -> None:
    """The password in REDIS_URL, however it is written there, is among what must never be logged."""
    monkeypatch.setenv("REDIS_URL", url)
    assert password in IngressSettings.load().secrets()


def test_secrets_are_all_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every token is a secret, without the account it is bound to."""
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", f"{TOKEN},{ACCOUNT}={OTHER_TOKEN}")
    assert set(IngressSettings.load().secrets()) == {TOKEN, OTHER_TOKEN}


def test_secrets_do_not_show_in_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that end up in a log line or traceback give no secret away."""
    monkeypatch.setenv("REDIS_URL", f"redis://:{PASSWORD}@127.0.0.1")
    monkeypatch.setenv("PUBLIC_URL", f"https://user:{PASSWORD}@h.example.com")
    settings = IngressSettings.load()
    assert TOKEN not in f"{settings!r}{settings!s}"
    assert PASSWORD not in f"{settings!r}{settings!s}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", f"http://:{PASSWORD}@127.0.0.1"),
        ("REDIS_URL", f"redis://:{PASSWORD}@127.0.0.1:port"),
        ("REDIS_URL", f"redis://:{PASSWORD}[@127.0.0.1"),
        ("TWILIO_AUTH_TOKEN", f"{ACCOUNT}={PASSWORD}="),
        ("PUBLIC_URL", f"ftp://user:{PASSWORD}@h.example.com"),
        ("PUBLIC_URL", f"https://user:{PASSWORD}@h.example.com/?a=1"),
    ],
)
def test_secrets_do_not_show_in_errors(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A wrong setting with a secret in it is explained without the secret."""
    monkeypatch.setenv(name, value)
    (problem,) = complaints()
    assert problem.startswith(f"{name} is wrong: ")
    assert PASSWORD not in problem


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:port",
        "redis://127.0.0.1:99999",
        "redis://[::1",
        "redis://h/0?nonsense=1",
        "redis://h?socket_timeout=x",
    ],
)
def test_malformed_redis_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A REDIS_URL that no client could use is refused at the door, not met as a crash."""
    monkeypatch.setenv("REDIS_URL", url)
    (problem,) = complaints()
    assert problem.startswith("REDIS_URL is wrong: ")


def test_each_partition_reads_on_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer connections for reads than partitions need, some of them would be left unread."""
    monkeypatch.setenv("REDIS_BLOCKING_POOL_SIZE", "15")
    with pytest.raises(SettingsError, match="REDIS_BLOCKING_POOL_SIZE is wrong: it is less than twice HOOKLINE_PARTITIONS"):
        ProcessorSettings.load()
    monkeypatch.setenv("HOOKLINE_PARTITIONS", "7")
    assert ProcessorSettings.load().blocking_pool_size == 15


@pytest.mark.parametrize(("partitions", "window"), [("1", 500), ("8", 500), ("64", 250), ("1024", 20)])
def test_many_partitions_hold_less_each(monkeypatch: pytest.MonkeyPatch, partitions: str, window: int) -> None:
    """So that the memory for all of them stays bounded; who sets a window gets it."""
    monkeypatch.setenv("HOOKLINE_PARTITIONS", partitions)
    assert ProcessorSettings.load().window_size() == window
    monkeypatch.setenv("PROCESSOR_WINDOW", "300")
    assert ProcessorSettings.load().window_size() == 300


def test_settings_cannot_be_changed() -> None:
    """What was validated stays as it is."""
    settings = IngressSettings.load()
    with pytest.raises(AttributeError):
        settings.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("megabytes", "body", "wrong"), [("2", None, False), ("1", None, True), ("8", "4194304", False), ("7", "4194304", True)]
)
def test_largest_bodies_fit_into_memory(monkeypatch: pytest.MonkeyPatch, megabytes: str, body: str | None, wrong: bool) -> None:
    """A memory into which no two bodies fit would refuse the large ones for ever."""
    monkeypatch.setenv("INGRESS_READ_MEMORY_MB", megabytes)
    if body:
        monkeypatch.setenv("INGRESS_MAX_BODY", body)
    if wrong:
        assert [problem.partition(":")[0] for problem in complaints()] == ["INGRESS_READ_MEMORY_MB is wrong"]
    else:
        assert IngressSettings.load().read_memory_mb == int(megabytes)
