"""A peer as a contender."""

import shutil
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.environment import Environment
from bench.load import webhooks
from bench.peers.catalogue import Peer
from bench.system.processes import Child, running
from bench.system.snapshot import Snapshot

_FILL_TIMEOUT_S: Final = 120.0


class PeerDrain:
    """The backlog of `peer`, filled by its own client once, then restored for each round."""

    def __init__(self, environment: Environment, peer: Peer, jobs: int) -> None:
        self.name = peer.name
        self.jobs = jobs
        self._environment = environment
        self._peer = peer
        self._tally = environment.directory / f"tally-{peer.folder}"
        self._snapshot: Snapshot | None = None

    def fill(self) -> None:
        """Write the backlog and reset the counter."""
        shutil.rmtree(self._tally, ignore_errors=True)
        self._tally.mkdir()
        if self._snapshot is None:
            self._environment.redis.empty()
            enqueue(self._environment, self._peer, self.jobs, self._settings())
            self._snapshot = Snapshot.take(self._environment.redis.client)
        else:
            self._snapshot.lay(self._environment.redis.client)

    @contextmanager
    def work(self) -> Iterator[Sequence[Child]]:
        """Run its worker."""
        with running(
            self._peer.folder,
            self._peer.worker(),
            self._environment.directory,
            self._environment.cores.service,
            self._settings(),
        ) as child:
            yield [child]

    def left(self) -> int:
        """Return the number of jobs that have not reported."""
        return self.jobs - sum(map(_read, self._tally.iterdir()))

    def has_begun(self) -> bool:
        """Return True: there is one process."""
        return True

    def is_settled(self) -> bool:
        """Whether Redis has no job of this peer left."""
        return self._peer.at_rest(self._environment.redis.client)

    def dead(self) -> int:
        """Return 0: no job fails."""
        return 0

    def _settings(self) -> dict[str, str]:
        return {"REDIS_URL": self._environment.redis.url, "BENCH_TALLY": str(self._tally), **self._peer.settings}


def enqueue(environment: Environment, peer: Peer, jobs: int, settings: dict[str, str]) -> None:
    """Enqueue `jobs` forms of inbound messages with the client of `peer`.

    Raises:
        BenchError: if it fails.

    """
    forms = b"".join(webhooks.body(number) + b"\n" for number in range(jobs))
    with running(
        f"{peer.folder}-fill", peer.filler(), environment.directory, environment.cores.rest, settings, pipes=True
    ) as child:
        child.talk(forms, _FILL_TIMEOUT_S)


def _read(file: Path) -> int:
    content = file.read_bytes()
    return int(struct.unpack("<q", content)[0]) if len(content) == 8 else 0
