"""What a service says of a variable that the platform set, and that is of no use to it."""

from tests.support.processes.services import Services


async def test_database_of_the_app_is_ignored_with_a_line(redis_url: str, services: Services) -> None:
    """The processor runs without a ledger, and its log says why; the password in the URL is not in it."""
    settings = {"REDIS_URL": redis_url, "DATABASE_URL": "mysql://app:planted@db/app"}
    processor = await services.processor(settings).start()
    line = await processor.logged("setting ignored")
    assert (line["level"], line["setting"]) == ("warning", "DATABASE_URL")
    assert line["reason"].startswith("DATABASE_URL is not used as HOOKLINE_LEDGER_URL: it is neither of PostgreSQL")
    assert "planted" not in processor.errors
