"""The tokens of subaccounts in a file."""

import os
from pathlib import Path

from hookline_processor.forward.tokens import Tokens

ONE = "AC" + "1" * 32


def test_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """A new subaccount needs no restart. A file that is gone leaves what was read."""
    path = tmp_path / "tokens"
    path.write_text(f"# tokens\n\n{ONE}={'a' * 32}\n{ONE}={'b' * 32}\n")
    tokens = Tokens([], path)
    assert tokens.token_of(ONE, "") == "a" * 32
    path.write_text(f"{ONE}={'c' * 32}\n")
    os.utime(path, ns=(1, 1))
    assert tokens.token_of(ONE, "") == "c" * 32
    path.unlink()
    assert tokens.token_of(ONE, "") == "c" * 32
