"""Enqueue one message per line of standard input. `python -m bench.peers.dramatiq.fill`."""

import sys

from bench.peers.dramatiq.tasks import handle


def main() -> None:
    """Enqueue them, one after the other."""
    for number, form in enumerate(sys.stdin):
        handle.send(number, form.rstrip())


if __name__ == "__main__":
    main()
