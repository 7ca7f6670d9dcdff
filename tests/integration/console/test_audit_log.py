"""Every action leaves a record, and one that cannot be recorded is not carried out."""

from pathlib import Path
from typing import Final

import redis

from hookline_cli.audit import KEPT, AuditLog, Deed
from hookline_console.access.people import Role
from hookline_console.app import ROUTES
from hookline_console.live.jobs import Job
from hookline_shared.redis.manager import RedisConnectionManager
from tests.support.console.local_console import REVEALER, LocalConsole, running_console
from tests.support.console.planted import TEXT, inbound, plant_dead_letters
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.dead_letters import fields_of
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS

ACTIONS: Final = {
    "/dead/replay": {"rate": "100"},
    "/dead/discard": {},
    "/dead/{id}/reveal": {},
    "/waiting/retry": {},
    "/pauses": {"topic": "messages"},
    "/pauses/{id}/resume": {},
    "/events/{term}/reveal": {},
    "/events/{term}/drop": {},
    "/conversations/{id}/reveal": {},
    "/jobs/{id}/stop": {},
}
"""A form for each page that changes or reveals something, but its reason."""
_EVENT: Final = "0" * 32


async def test_every_action_is_recorded(console: LocalConsole, redis_client: "redis.Redis") -> None:
    """Whatever somebody does, who, what and why is in the log, from where, whether or not there was anything to do."""
    assert ACTIONS.keys() == {
        route.path for route in ROUTES if route.need in (Role.OPERATOR, Role.REVEALER) and route.method == "POST"
    }
    plant_dead_letters(redis_client, TEXT)
    redis_client.execute_command("XADD", keys.topic(0, "messages"), "*", *fields_of(inbound(TEXT)))
    job = console.components.jobs.start(Deed("ada", "", "work"), 1, _wait)
    person = await console.signed_in(REVEALER)
    for path, fields in ACTIONS.items():
        before = len(await console.components.audit.newest(100))
        real = path.replace("/jobs/{id}", f"/jobs/{job.id}").replace("{id}", "0:1-0").replace("{term}", _EVENT)
        await person.post(real, why="because", **fields)
        after = await console.components.audit.newest(100)
        assert len(after) > before, path
        deeds = [one.deed for one in after[: len(after) - before]]
        assert all(deed.who == "ada" for deed in deeds), path
        assert any(deed.why == "because" or path.endswith("/stop") for deed in deeds), path


async def _wait(job: Job) -> str:
    await job.stop.wait()
    return "stopped"


async def test_nothing_happens_without_a_record(own_redis: RedisServer, tmp_path: Path) -> None:
    """If Redis refuses the record, the action is refused, and what it was about is as before."""
    plant_dead_letters(own_redis.client, TEXT)
    async with running_console(own_redis.url, tmp_path) as console:
        person = await console.signed_in(REVEALER)
        (form,) = (form for form in await person.forms("/dead/discard") if "why" in form.fields)
        own_redis.client.set(keys.console_audit, "not a stream")
        answer = await person.send(form.action, form.fields | {"why": "because"})
        assert answer.status in (400, 503)
        assert sum(own_redis.client.xlen(keys.dead(partition)) for partition in range(PARTITIONS)) == 1


async def test_log_is_bounded(broker: RedisConnectionManager, redis_client: "redis.Redis") -> None:
    """It does not fill the memory of Redis, however long and however many the records are."""
    log = AuditLog(broker)
    await log.write(Deed("x" * 5000, "192.0.2.1", "y" * 5000))
    (record,) = await log.newest(10)
    assert len(record.deed.who) == 500
    with redis_client.pipeline(transaction=False) as pipeline:
        for _ in range(KEPT + 500):
            pipeline.execute_command("XADD", keys.console_audit, "*", "who", "x")
        pipeline.execute()
    await log.write(Deed("ada", "", "z"))
    assert redis_client.xlen(keys.console_audit) < KEPT + 300
