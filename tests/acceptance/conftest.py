"""Both services as processes."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.redis_server import RedisServer
from tests.support.service_process import ServiceProcess
from tests.support.twilio import INGRESS_SETTINGS

Line = dict[str, Any]


@dataclass
class Pair:
    """Ingress and processor over a Redis of their own, and what the handlers wrote down."""

    server: RedisServer
    ingress: ServiceProcess
    processor: ServiceProcess
    record: Path
    client: redis.Redis

    def lines(self, what: str = "end") -> list[Line]:
        """Give what the handlers wrote down, in order: the begun attempts, or the ended ones."""
        if not self.record.exists():
            return []
        lines = [json.loads(line) for line in self.record.read_text().splitlines()]
        return [line for line in lines if line["what"] == what]


@pytest.fixture
def pair(own_redis: Callable[..., RedisServer], service: Callable[..., ServiceProcess], tmp_path: Path) -> Iterator[Pair]:
    """Give a started pair whose retries come soon."""
    server = own_redis()
    record = tmp_path / "record.jsonl"
    ingress = service("ingress", REDIS_URL=server.url, **INGRESS_SETTINGS)
    processor = service(
        "processor",
        REDIS_URL=server.url,
        PROCESSOR_HANDLERS="tests.acceptance.recorder:handlers",
        PROCESSOR_BACKOFF_BASE_S="0.05",
        PROCESSOR_MAX_ATTEMPTS="4",
        HOOKLINE_TEST_RECORD=str(record),
    )
    with server.client() as client:
        yield Pair(server, ingress.start(), processor.start(), record, client)
