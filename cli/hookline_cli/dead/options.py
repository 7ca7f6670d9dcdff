"""The options with which `list`, `replay` and `discard` select letters."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from hookline_cli.dead.selection import Selection
from hookline_cli.known_names import check_kinds, check_reasons
from hookline_cli.output.timestamps import parse_timestamp
from hookline_processor.verdicts import Reason

_FILTERS: Final = "Filters (a dead letter must match all)"


def _option(name: str, text: str, **more: Any) -> Any:
    return typer.Option(name, help=text, rich_help_panel=_FILTERS, **more)


def _moment(name: str, text: str) -> Any:
    return _option(name, text, callback=_checked, metavar="AGE|DATE")


def _checked(text: str) -> str:
    if text:
        parse_timestamp(text, 0)
    return text


def _select(
    topics: Annotated[list[str], _option("--topic", "Original topic; may be repeated.")] = [],  # noqa: B006
    kinds: Annotated[list[str], _option("--kind", "Kind, or a family such as 'conversation.*'; may be repeated.")] = [],  # noqa: B006
    reasons: Annotated[list[str], _option("--reason", f"Reason: {', '.join(Reason)}. May be repeated.")] = [],  # noqa: B006
    error: Annotated[str, _option("--error", "Text in the error; case does not matter.")] = "",
    account: Annotated[str, _option("--account", "Twilio account SID.")] = "",
    key: Annotated[str, _option("--key", "Ordering key, such as '+14155550123:+18005551212'.")] = "",
    sid: Annotated[str, _option("--sid", "SID in the parameters, such as a MessageSid.")] = "",
    older_than: Annotated[str, _moment("--older-than", "Older than an age such as 2h, or before a date.")] = "",
    newer_than: Annotated[str, _moment("--newer-than", "Newer than an age such as 30m, or after a date.")] = "",
) -> Selection:
    check_kinds(kinds)
    check_reasons(reasons)
    return Selection(
        topics=tuple(topics),
        kinds=tuple(kinds),
        reasons=tuple(reasons),
        error=error,
        account=account,
        key=key,
        sid=sid,
        older_than=older_than,
        newer_than=newer_than,
    )


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command` with the options above, which become its argument `selection`."""
    own = inspect.signature(command, eval_str=True).parameters
    offered = inspect.signature(_select, eval_str=True).parameters

    @functools.wraps(command)
    def selected(**named: Any) -> None:
        command(selection=_select(**{name: named.pop(name) for name in offered}), **named)

    parameters = [parameter for name, parameter in own.items() if name != "selection"] + list(offered.values())
    keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    del selected.__wrapped__  # else inspect.signature would find that of the command
    selected.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    selected.__annotations__ = {parameter.name: parameter.annotation for parameter in keyword}
    return selected
