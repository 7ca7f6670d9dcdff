"""What the documents name is there: files, settings, metrics."""

import re
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest
from prometheus_client import REGISTRY

from hookline_cli.settings.rows import secrets, variables

ROOT: Final = Path(__file__).parents[3]
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
CODE: Final = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
"""Code, in which `key[type]("name")` is no link."""
FENCED: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SETTING: Final = re.compile(
    r"(?<![\w/])((?:HOOKLINE|CONSOLE|INGRESS|PROCESSOR|REDIS|DATABASE|LEDGER|TWILIO)_[A-Z_]*[A-Z])\b(?!\.)"
)
METRIC: Final = re.compile(r"\bhookline_(?!(?:cli|console|ingress|processor|shared)\b[./`])[a-z_]+[a-z]\b(?!:)")
SERIES: Final = re.compile(r"_(total|bucket|sum|count)$")
"""What a metric's series have behind its name."""
ELSEWHERE: Final = {
    "REDIS_PASSWORD",
    "REDIS_ADMIN_PASSWORD",
    "REDIS_CONF",
    "PUBLISHED_CONNECTIONS",
    "INGRESS_MEMORY",
    "CONSOLE_PUBLISHED_PORT",
    "HOOKLINE_WAIT_S",
    "hookline_outside",
}
"""Names that look like settings or metrics, and are somebody else's."""

TEST: Final = re.compile(r"`((?:\w+/)*test_\w+\.py)(?:::(test_\w+))?`")
"""A test, by its file and the folders in `tests/` that tell it from others of the same name."""

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of ours, and every file that is named by its path, is there."""
    text = page.read_text()
    links = [target for target in re.findall(r"\]\(([^)#\s]+)", CODE.sub("", text)) if "://" not in target]
    assert [target for target in links if not (page.parent / target).exists()] == []
    named = re.findall(r"`((?:ingress|processor|shared|cli|console|tests|deploy|examples)/[\w./-]+)`", text)
    assert [target for target in named if not (ROOT / target).exists()] == []
    in_packages = re.findall(r"`hookline_((?:ingress|processor|shared|cli|console)/[\w./-]+)`", text)
    folders = {target: ROOT / target.partition("/")[0] / f"hookline_{target}" for target in in_packages}
    assert [target for target, path in folders.items() if not path.exists()] == []


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings of `page`: of equal ones, the later have numbers."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6} +(.+?) *$", FENCED.sub("", page.read_text()), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        number = found[slug] = found.get(slug, -1) + 1
        if number:
            found[f"{slug}-{number}"] = 0
    return {*found, *re.findall(r'<a (?:id|name)="([^"]+)"', page.read_text())}


@each_page
def test_links_lead_to_headings(page: Path) -> None:
    """Every link to a place in a page of ours leads to a heading that is there."""
    links = re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", CODE.sub("", page.read_text()))
    places = [(page.parent / target if target else page, anchor) for target, anchor in links if "://" not in target]
    assert [anchor for target, anchor in places if target.suffix == ".md" and anchor not in anchors(target)] == []


def test_list_for_assistants_leads_somewhere() -> None:
    """Every page that llms.txt names is there, and it names every page for users."""
    targets = set(re.findall(r"\]\(([^)]+)\)", (ROOT / "llms.txt").read_text()))
    assert {target for target in targets if not (ROOT / target).exists()} == set()
    assert {"README.md", "docs/console.md", "docs/handlers.md", "docs/operating.md", "docs/runbook.md"} <= targets


@each_page
def test_settings_exist(page: Path) -> None:
    """Every setting that is named is one."""
    known = {*variables(), *(f"{name}_FILE" for name in secrets())} | ELSEWHERE
    assert {name for name in SETTING.findall(page.read_text()) if name not in known} == set()


@each_page
def test_metrics_exist(page: Path) -> None:
    """Every metric that is named is one."""
    for module in ("hookline_ingress.app", "hookline_processor.app", "hookline_processor.ledger.service"):
        import_module(module)  # its metrics come along
    known = {metric.name for metric in REGISTRY.collect()}
    named = {SERIES.sub("", name) for name in METRIC.findall(page.read_text())}
    in_the_file = {name.lower() for name in variables()}
    assert named - known - in_the_file - ELSEWHERE == set()


@each_page
def test_tests_exist(page: Path) -> None:
    """Every test that is named is there, and in one file only: docs/architecture.md says which test checks which guarantee."""
    named = [(file.removeprefix("tests/"), name) for file, name in TEST.findall(page.read_text())]
    found = {file: [path.read_text() for path in (ROOT / "tests").rglob(file)] for file, _ in named}
    assert [file for file, texts in found.items() if len(texts) != 1] == []
    assert [(file, name) for file, name in named if name and f"def {name}(" not in found[file][0]] == []


@pytest.mark.parametrize("room", ["shared", "ingress", "processor", "cli", "console"])
def test_tables_of_packages_are_complete(room: str) -> None:
    """docs/architecture.md names every file and folder of a package, and no other."""
    package = ROOT / room / f"hookline_{room}"
    (_, section) = (ROOT / "docs" / "architecture.md").read_text().split(f"### `{package.name}`\n")
    first_cells = re.findall(r"^\| (`[^|]*) \|", re.split(r"^##", section, maxsplit=1, flags=re.MULTILINE)[0], re.MULTILINE)
    named = [name for cell in first_cells for name in re.findall(r"`([\w.]+)/?`", cell)]
    there = [path.name for path in package.iterdir() if not path.name.startswith("__") and path.name != "py.typed"]
    assert sorted(named) == sorted(there)


def test_index_of_support_is_complete() -> None:
    """tests/support/README.md has each file once, under the name of its folder, and no other."""
    folder = ROOT / "tests" / "support"
    (top, *sections) = re.split(r"^## `(\w+)/`", (folder / "README.md").read_text(), flags=re.MULTILINE)
    texts = {".": top, **dict(zip(sections[::2], sections[1::2], strict=True))}
    listed = [
        f"{room}/{file}" for room, text in texts.items() for file in re.findall(r"^\| `(\w+\.py)` \|", text, re.MULTILINE)
    ]
    there = [path.relative_to(folder) for path in folder.rglob("*.py") if path.name != "__init__.py"]
    assert sorted(listed) == sorted(f"{path.parent}/{path.name}" for path in there)
