"""Which peers can take part here."""

from bench.environment import Environment
from bench.errors import BenchError
from bench.peers.catalogue import PEERS, Peer
from bench.peers.installing import installed


class TooOldRedisError(BenchError):
    """A peer needs a newer Redis; it is left out."""

    def __init__(self, peer: Peer, version: str) -> None:
        needed = ".".join(map(str, peer.oldest))
        super().__init__(f"{peer.name} needs Redis {needed} and is left out: this one is {version} (see docs/benchmarks.md)")


def usable(environment: Environment) -> tuple[list[Peer], list[str]]:
    """Return the peers that are, or could be, installed and run on this Redis, and why others are not."""
    version = environment.redis.version()
    found = tuple(int(part) for part in version.split(".")[:2])
    fit = [peer for peer in PEERS if found >= peer.oldest]
    peers, failures = installed(environment.progress, fit)
    return peers, [str(TooOldRedisError(peer, version)) for peer in PEERS if peer not in fit] + failures
