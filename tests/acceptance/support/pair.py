"""Both services as processes, over a Redis of any topology."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import redis

from hookline_shared.redis_keys import DEFAULT_PREFIX, Keys
from hookline_shared.topics import DEFAULT_TOPICS
from tests.acceptance.support.records import Line, Record
from tests.support.inbound.webhooks import Webhook
from tests.support.ingress.ingress_client import IngressClient
from tests.support.ingress.local_ingress import ingress_settings
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored

RECORD = "record.jsonl"
"""Where the handlers write, in the folder of the services."""

_PAUSE_S = 0.02  # between two tries to deliver


class Backend(Protocol):
    """A Redis, or several. `client` is a blocking client for assertions, to be closed after use."""

    @property
    def url(self) -> str:
        """The REDIS_URL of the services."""
        ...

    @property
    def client(self) -> AbstractContextManager["redis.Redis"]:
        """Return a client of its own."""
        ...


@dataclass
class Pair:
    """Ingress and processor, the records of the handlers, and the content of Redis.

    `refused` is how often a delivery was not acknowledged.
    """

    ingress: ServiceProcess
    processor: ServiceProcess
    record: Path
    redis: "redis.Redis"
    client: IngressClient
    refused: int = 0
    keys: Keys = keys

    @property
    def stored(self) -> Stored:
        """The content of Redis."""
        return Stored(self.redis, self.keys)

    def lines(self, what: str = "end") -> list[Line]:
        """Return what the handlers wrote down, in order: the begun attempts, or the ended ones."""
        return [line for line in Record(self.record).lines() if line["what"] == what]

    async def spooled(self) -> int:
        """Return how many events wait in the spool."""
        return int((await self.ingress.metrics())["hookline_spool_events"])

    def settled(self) -> bool:
        """Whether nothing is left in any topic, and nothing pending. Unknown while a Sentinel closes connections: false."""
        streams = [self.keys.topic(partition, topic) for partition in range(PARTITIONS) for topic in DEFAULT_TOPICS]
        try:
            groups: list[Any] = [group for stream in streams for group in self._groups(stream)]
            return not any(map(self.redis.xlen, streams)) and not any(group["pending"] for group in groups)
        except redis.exceptions.ConnectionError:
            return False

    def dead_letters(self) -> list[dict[str, str]]:
        """Return the fields of every dead letter."""
        letters = [fields for partition in range(PARTITIONS) for _, fields in self.stored.dead_letters(partition)]
        texts = [[word.decode(errors="replace") for word in fields] for fields in letters]
        return [dict(zip(words[::2], words[1::2], strict=True)) for words in texts]

    async def answer_times(self) -> str:
        """Return how many requests ingress answered within 500 ms since it started."""
        found = await self.ingress.metrics()
        within, answers = (found[f"hookline_ingress_request_seconds_{name}"] for name in ('bucket{le="0.5"}', "count"))
        return f"{within:.0f} of {answers:.0f} requests answered within 500 ms"

    def retry_records(self) -> int:
        """Return how many retry records there are."""
        return sum(len(self.stored.retry_records(partition)) for partition in range(PARTITIONS))

    async def deliver(self, webhook: Webhook) -> None:
        """Deliver until it is acknowledged with a 2xx, as `#rc` and a patient fallback would."""
        while True:
            try:
                status = (await self.client.post(webhook)).status
            except (aiohttp.ClientError, TimeoutError, OSError):
                status = 503
            if status < 300:
                return
            assert status == 503, f"unexpected answer {status}"
            self.refused += 1
            await asyncio.sleep(_PAUSE_S)

    def _groups(self, stream: str) -> Any:
        return self.redis.xinfo_groups(stream) if self.redis.exists(stream) else []


def processor_settings(redis_url: str, record: Path) -> dict[str, str]:
    """Return the settings of a processor whose handlers write to `record`, as environment variables."""
    return {
        "REDIS_URL": redis_url,
        "PROCESSOR_HANDLERS": "tests.acceptance.support.handlers.recorder:handlers",
        "PROCESSOR_BACKOFF_BASE_S": "0.05",
        "PROCESSOR_MAX_ATTEMPTS": "4",
        "PROCESSOR_UNHANDLED_WAIT_S": "0",
        "PROCESSOR_LEASE_S": "2",  # one that restarts after a kill waits until its old lease has run out
        "HOOKLINE_TEST_RECORD": str(record),
    }


@asynccontextmanager
async def started_pair(
    backend: Backend, services: Services, folder: Path, *, url: str | None = None, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Pair]:
    """Yield a started pair whose retries come soon. It reaches `backend` by `url`, if there is a proxy between them."""
    record = folder / RECORD
    own = dict(settings or {})
    ingress = services.ingress(ingress_settings(url or backend.url) | own)
    processor = services.processor(processor_settings(url or backend.url, record) | own)
    await asyncio.gather(ingress.start(), processor.start())
    async with aiohttp.ClientSession() as session:
        with backend.client as client:
            made = Keys(own.get("HOOKLINE_PREFIX", DEFAULT_PREFIX))
            yield Pair(ingress, processor, record, client, IngressClient(session, ingress.port), keys=made)
