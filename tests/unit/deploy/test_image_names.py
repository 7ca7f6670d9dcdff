"""The container images that the repository names: each tag was looked up, since one that does not exist fails at the pull."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_LIST = tomllib.loads((_ROOT / "deploy" / "images.toml").read_text())
_NAMED = (
    re.compile(r"^\s*(?:- )?(?:image|container): *[\"']?([^\s\"'#]+)", re.MULTILINE),
    re.compile(r"^ *FROM (\S+)", re.MULTILINE),
    re.compile(r"\bdocker run (?:--?\S+ (?:\"[^\"]*\" |\d\S* )?)*([a-z][a-z0-9./-]*:[^\s\"]+)"),
    re.compile(r"image\.base\.name=\"docker\.io/(?:library/)?([^\"]+)\""),
)
_OURS = re.compile(r"^(?:hookline|registry\.example\.com/.*|bot)(?::|$)|\$\{?[A-Z]|\{")
_SUFFIXES = {".yaml", ".yml", ".md", ".sh", ".toml", ".py", ""}


def files() -> list[Path]:
    """Return the files of the repository that may name an image; not the tests, which name wrong ones."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=_ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    paths = [_ROOT / name for name in listed if name and not name.startswith(("tests/", "bench/"))]
    return [path for path in paths if path.suffix in _SUFFIXES and path.is_file()]


def images() -> Iterator[tuple[str, str]]:
    """Yield each file's name and an image in it that is not made here."""
    for path in files():
        text = path.read_text(errors="replace")
        for name in {found for pattern in _NAMED for found in pattern.findall(text)}:
            if not _OURS.search(name) and name not in {"scratch", "build", "packages"}:
                yield str(path.relative_to(_ROOT)), name


def test_every_image_is_known() -> None:
    """Whoever changes a tag looks it up, and says where: redis:8.0-trixie, an earlier one, never existed."""
    unknown = {(file, name) for file, name in images() if name not in _LIST}
    assert not unknown, "look these up, and add them to deploy/images.toml"


def test_list_has_no_other() -> None:
    """An image that is no longer used goes from the list, too, so that what is in it is what has to be looked up again."""
    assert _LIST.keys() == {name for _, name in images()}


def test_every_tag_has_a_source_and_a_date() -> None:
    """What was seen where and when can be checked again. No image is named without a version."""
    for name, entry in _LIST.items():
        assert entry["source"], name
        assert isinstance(entry["seen"], date), name
        tag = name.partition(":")[2]
        assert tag not in {"", "latest"}, name
