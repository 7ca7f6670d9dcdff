"""Topics, as both services read them from the TOML file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hookline_ingress.settings import IngressSettings
from hookline_processor.settings import ProcessorSettings
from hookline_shared.errors import SettingsError
from hookline_shared.topics import DEFAULT_TOPICS, Topic

ConfigFile = Callable[[str], Path]


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConfigFile:
    """Return a function that makes a text the TOML file."""

    def write(text: str) -> Path:
        path = tmp_path / "hookline.toml"
        path.write_text(text)
        monkeypatch.setenv("HOOKLINE_CONFIG", str(path))
        return path

    return write


def test_default_topics() -> None:
    """Without a file there are the seven topics, all ordered, conversations and calls before statuses and the rest."""
    topics = ProcessorSettings.load().topics
    assert tuple(topics) == DEFAULT_TOPICS
    assert all(topic.ordered and topic.concurrency is None for topic in topics.values())
    assert [topics[name].weight for name in DEFAULT_TOPICS] == [4, 4, 4, 2, 1, 1, 4]


def test_outbox_is_ordered(config_file: ConfigFile) -> None:
    """Replies of a conversation would else arrive in any order."""
    config_file("[topics.outbox]\nordered = false\n")
    with pytest.raises(SettingsError, match=r"outbox.ordered cannot be false"):
        ProcessorSettings.load()


def test_file_changes_and_adds_topics(config_file: ConfigFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file leaves out stays as it is; both services know a topic that is added, and routes may use it."""
    config_file(
        "[topics.statuses]\nconcurrency = 5\nordered = false\n[topics.vip]\nweight = 9\n"
        '[[routes]]\npath = "/vip"\nkind = "message.received"\ntopic = "vip"\n'
    )
    monkeypatch.setenv("PUBLIC_URL", "https://hooks.example.com")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "12345")
    for topics in (ProcessorSettings.load().topics, IngressSettings.load().topics):
        assert tuple(topics) == (*DEFAULT_TOPICS, "vip")
        assert topics["statuses"] == Topic(weight=2, concurrency=5, ordered=False)
        assert topics["vip"] == Topic(weight=9)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("topics = 3", "TOPICS is wrong: it must consist of tables, each with the header [topics.<name>]"),
        ("[topics.mesages]", "mesages is too similar to messages: correct it, or choose another name"),
        ("[topics.dead]", "dead is not a valid topic name"),
        ('[topics."no name"]', "no name is not a valid topic name"),
        ("[topics.calls]\nwait = 1", "calls: wait: there is no such key; the keys are weight, concurrency, ordered"),
        ("[topics.calls]\nweight = 0", "calls: weight: it must be a whole number from 1 to 1000"),
        ("[topics.calls]\nconcurrency = true", "calls: concurrency: it must be a whole number of at least 1"),
        ("[topics]\ncalls = 3", "calls: it must be a table"),
    ],
)
def test_mistakes(config_file: ConfigFile, text: str, problem: str) -> None:
    """Each is reported with the topic that it is in, and nothing starts."""
    config_file(text)
    with pytest.raises(SettingsError, match="1 setting") as raised:
        ProcessorSettings.load()
    assert problem in str(raised.value)
