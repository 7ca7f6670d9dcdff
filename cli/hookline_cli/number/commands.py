"""`hookline number show`, `point` and `restore`."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from hookline_cli.number.saved import SavedNumber, SavedNumbers
from hookline_cli.number.twilio_numbers import NumberError, TwilioNumbers, open_numbers
from hookline_cli.number.urls import Number, findings, pointed
from hookline_cli.output.options import AsJson, Yes
from hookline_cli.output.terminal import confirm, json_text
from hookline_cli.settings.running import find_running
from hookline_processor.settings import ProcessorSettings

_DataFolder = Annotated[Path, typer.Option(help="Folder of `hookline up`, where it is noted what numbers had before.")]
_NO_URL: Final = "PUBLIC_URL is not set, so there is nothing to point numbers at."


def show(as_json: AsJson = False, data: _DataFolder = Path("var")) -> None:
    """List the numbers of the account, where each calls, and what is wrong with that.

    Example: `hookline number show`
    """
    settings = _settings(data)
    numbers = asyncio.run(_all(settings))
    if as_json:
        found = [_as_object(one, settings.signing.public_urls) for one in numbers]
        typer.echo(json_text({"numbers": found}))
        return
    for one in numbers:
        wrong = list(findings(one, settings.signing.public_urls))
        typer.echo("\n".join([one.number, *_urls(one.urls), *(f"  ! {text}" for text in wrong)]))
    typer.echo(f"{len(numbers)} numbers." if numbers else "The account has no numbers.")


def point(
    number: Annotated[str, typer.Argument(help="The number, such as +14155550123, or its SID.")],
    path: Annotated[str | None, typer.Option(help="Path for all URLs. By default that of each URL, or /twilio.")] = None,
    yes: Yes = False,
    data: _DataFolder = Path("var"),
) -> None:
    """Let a number call PUBLIC_URL, and note what it had before.

    With a forward, only the host changes: the paths are those that your app has.

    Example: `hookline number point +14155550123`
    """
    settings = _settings(data)
    if not settings.signing.public_urls:
        raise NumberError(_NO_URL)
    asyncio.run(point_number(settings, data, number, path, yes=yes))


def restore(
    number: Annotated[str | None, typer.Argument(help="The number or its SID; all that were pointed by default.")] = None,
    force: Annotated[bool, typer.Option(help="Also if somebody has changed it since.")] = False,
    yes: Yes = False,
    data: _DataFolder = Path("var"),
) -> None:
    """Restore the URLs that numbers had before they were pointed at Hookline.

    Example: `hookline number restore`
    """
    settings, saved = _settings(data), SavedNumbers(data)
    chosen = {sid: one for sid, one in saved.read().items() if number in (None, sid, one.number)}
    if not chosen:
        raise NumberError(f"Nothing is noted about {number or 'any number'} in {data}/: no number was pointed from here.")
    confirm(f"Put back {', '.join(one.number for one in chosen.values())}?", yes=yes, refusal="Nothing was changed.")
    asyncio.run(restore_numbers(settings, saved, chosen, force=force))


async def point_number(settings: ProcessorSettings, data: Path, name: str, path: str | None, *, yes: bool) -> None:
    """Point the number `name` at the first public URL, after a question unless `yes`.

    Raises:
        NumberError: if there is no such number, something else handles it, or Twilio does not do it.

    """
    async with open_numbers(settings.sender) as numbers:
        found = _find(await numbers.all(), name)
        if found.instead:
            raise NumberError(
                f"{found.number} is handled by {', '.join(found.instead.values())}, not by URLs. Change that in Twilio's "
                "console."
            )
        urls = pointed(found, settings.signing.public_urls[0], path, keeps_paths=bool(settings.forwards))
        typer.echo("\n".join([found.number, *_urls(found.urls), "becomes", *_urls(urls)]))
        confirm("Change it?", yes=yes, refusal="Nothing was changed.")
        SavedNumbers(data).note(found.sid, found.number, found.urls, urls)
        await numbers.change(found.sid, urls)
    typer.echo("Changed. To put it back: hookline number restore")


async def restore_numbers(
    settings: ProcessorSettings, saved: SavedNumbers, chosen: Mapping[str, SavedNumber], *, force: bool
) -> None:
    """Put back the `chosen` numbers, but those that somebody has changed since, unless `force`.

    Raises:
        NumberError: if one was changed, or Twilio does not do it.

    """
    async with open_numbers(settings.sender) as numbers:
        current = {one.sid: one for one in await numbers.all()}
        for sid, one in chosen.items():
            await _restore(numbers, saved, sid, one, current.get(sid), force=force)


async def _restore(
    numbers: TwilioNumbers, saved: SavedNumbers, sid: str, one: SavedNumber, now: Number | None, *, force: bool
) -> None:
    if now is None:
        typer.echo(f"{one.number}: the account does not have it any more.")
    elif now.urls == one.before:
        typer.echo(f"{one.number}: it has its old URLs already.")
    elif now.urls == one.after or force:
        await numbers.change(sid, one.before)
        typer.echo("\n".join([f"{one.number}: put back.", *_urls(one.before)]))
    else:
        raise NumberError(
            f"{one.number} was changed by somebody else since it was pointed. Look at it with hookline number show, or use "
            "--force."
        )
    saved.forget(sid)


def _settings(data: Path) -> ProcessorSettings:
    return ProcessorSettings.load(find_running(data).adopted)


async def _all(settings: ProcessorSettings) -> list[Number]:
    async with open_numbers(settings.sender) as numbers:
        return await numbers.all()


def _find(numbers: Sequence[Number], name: str) -> Number:
    found = next((one for one in numbers if name in (one.number, one.sid)), None)
    if found is None:
        raise NumberError(
            f"The account has no number {name}. Its numbers: {', '.join(one.number for one in numbers) or 'none'}."
        )
    return found


def _urls(urls: Mapping[str, str]) -> list[str]:
    return [f"  {name.removesuffix('_url'):6} {url or '(none)'}" for name, url in urls.items()]


def _as_object(number: Number, public_urls: Sequence[str]) -> dict[str, Any]:
    return {
        "number": number.number,
        "sid": number.sid,
        **dict(number.urls),
        "findings": list(findings(number, public_urls)),
    }
