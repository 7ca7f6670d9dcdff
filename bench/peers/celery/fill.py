"""Send one task per line of standard input. `python -m bench.peers.celery.fill`."""

import sys

from bench.peers.celery.tasks import app, handle


def main() -> None:
    """Send them, one after the other, over one connection."""
    with app.producer_pool.acquire(block=True) as producer:
        for number, form in enumerate(sys.stdin):
            handle.apply_async((number, form.rstrip()), producer=producer)


if __name__ == "__main__":
    main()
