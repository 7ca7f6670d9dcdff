"""Both services as processes."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis

from shared import keys
from shared.topics import DEFAULT_TOPICS
from tests.support.ingress_client import IngressClient
from tests.support.local_ingress import ingress_settings
from tests.support.redis_server import RedisServer
from tests.support.service_process import ServiceProcess
from tests.support.services import Services
from tests.support.stored import PARTITIONS, Stored
from tests.support.webhooks import Webhook

Line = dict[str, Any]

_PAUSE_S = 0.02  # between two tries to deliver


@dataclass
class Pair:
    """Ingress and processor over a Redis of their own, and what the handlers wrote down."""

    server: RedisServer
    ingress: ServiceProcess
    processor: ServiceProcess
    record: Path
    redis: "redis.Redis"
    client: IngressClient

    @property
    def stored(self) -> Stored:
        """What lies in Redis."""
        return Stored(self.redis)

    def lines(self, what: str = "end") -> list[Line]:
        """Give what the handlers wrote down, in order: the begun attempts, or the ended ones."""
        if not self.record.exists():
            return []
        lines = [json.loads(line) for line in self.record.read_text().splitlines()]
        return [line for line in lines if line["what"] == what]

    def settled(self) -> bool:
        """Whether nothing is left in any topic, and nothing pending."""
        streams = [keys.topic(partition, topic) for partition in range(PARTITIONS) for topic in DEFAULT_TOPICS]
        groups: list[Any] = [group for stream in streams for group in self._groups(stream)]
        return not any(map(self.redis.xlen, streams)) and not any(group["pending"] for group in groups)

    def dead_letters(self) -> list[dict[str, str]]:
        """Give the fields of every dead letter."""
        letters = [fields for partition in range(PARTITIONS) for _, fields in self.stored.dead_letters(partition)]
        texts = [[word.decode(errors="replace") for word in fields] for fields in letters]
        return [dict(zip(words[::2], words[1::2], strict=True)) for words in texts]

    def retry_records(self) -> int:
        """Give how many retry records there are."""
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
            await asyncio.sleep(_PAUSE_S)

    def _groups(self, stream: str) -> Any:
        return self.redis.xinfo_groups(stream) if self.redis.exists(stream) else []


@pytest.fixture
async def pair(own_redis: RedisServer, services: Services, tmp_path: Path) -> AsyncIterator[Pair]:
    """Give a started pair whose retries come soon."""
    record = tmp_path / "record.jsonl"
    processing = {
        "REDIS_URL": own_redis.url,
        "PROCESSOR_HANDLERS": "tests.acceptance.recorder:handlers",
        "PROCESSOR_BACKOFF_BASE_S": "0.05",
        "PROCESSOR_MAX_ATTEMPTS": "4",
        "HOOKLINE_TEST_RECORD": str(record),
    }
    ingress, processor = services.ingress(ingress_settings(own_redis.url)), services.processor(processing)
    await asyncio.gather(ingress.start(), processor.start())
    async with aiohttp.ClientSession() as session:
        with own_redis.client as client:
            yield Pair(own_redis, ingress, processor, record, client, IngressClient(session, ingress.port))
