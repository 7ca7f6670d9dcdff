"""The stack of containers that the tests of `make test-compose` share, each file its own."""

from collections.abc import Iterator

import pytest

from tests.acceptance.support.stack import Stack, missing_docker


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Yield a stack that was put into service by the script. It is the same for all, and serves at the end of each test."""
    if reason := missing_docker():
        pytest.skip(f"NOTHING OF COMPOSE IS TESTED: {reason}")
    stack = Stack(tmp_path_factory.mktemp("clone") / "hookline")
    stack.give_token()
    try:
        done = stack.deploy()
        assert done.returncode == 0, done.stdout
        yield stack
    finally:
        stack.down()
