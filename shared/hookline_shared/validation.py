"""The messages for mistakes in a table of the TOML file. Pure."""

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


def describe_errors(error: ValidationError, model: type[BaseModel], table: str) -> list[str]:
    """Return one line for each mistake in `table`, which `model` refused, naming the key."""
    return [f"{table}: {_describe(detail, model)}" for detail in error.errors()]


def message_of(detail: ErrorDetails) -> str:
    """Return pydantic's message, without what it puts before the message of a ValueError."""
    return detail["msg"].removeprefix("Value error, ")


def _describe(detail: ErrorDetails, model: type[BaseModel]) -> str:
    key = "".join(f"{part}: " for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"{key}there is no such key; the keys are {', '.join(model.model_fields)}"
    return f"{key}{message_of(detail)}"
