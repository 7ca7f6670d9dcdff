"""Groups of settings, URLs in settings, and the messages for mistakes in a table of the TOML file. Pure."""

from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails


class SettingsGroup(BaseModel):
    """Settings that belong together, as the value that the part of a service takes for which they are.

    It is a field of the settings of a service. Each of its fields has a variable of its own, the validation alias.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True)


def groups_of(settings: type[BaseModel]) -> dict[str, type[SettingsGroup]]:
    """Return the groups among the fields of `settings`, by name."""
    annotations = {name: field.annotation for name, field in settings.model_fields.items()}
    return {name: one for name, one in annotations.items() if isinstance(one, type) and issubclass(one, SettingsGroup)}


def fields_of(settings: type[BaseModel]) -> Iterator[FieldInfo]:
    """Yield every field that has a variable, those of a group in place of the group."""
    groups = groups_of(settings)
    for name, field in settings.model_fields.items():
        if name in groups:
            yield from fields_of(groups[name])
        elif field.validation_alias is not None:
            yield field


def split_url(url: str) -> SplitResult:
    """Split `url`.

    Raises:
        ValueError: if it is malformed. The message does not quote it, since it may contain a password.

    """
    try:
        parts = urlsplit(url)
        port_is_odd = parts.port == 0 or parts.netloc.endswith(":")
    except ValueError:
        raise ValueError("it is not a URL, or its port is not a number up to 65535") from None
    if port_is_odd:
        raise ValueError("its port is missing or 0")
    return parts


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
