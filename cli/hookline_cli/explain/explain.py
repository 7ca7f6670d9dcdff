"""`hookline explain`: explain an error code of Twilio, without asking Twilio."""

from typing import Annotated

import typer

from hookline_cli.explain.twilio_codes import AS_OF, CODES, Explanation, page_of
from hookline_cli.output.event_fields import print_facts
from hookline_cli.output.options import AsJson
from hookline_cli.output.terminal import json_text
from hookline_shared.errors import HooklineError


class UnknownCodeError(HooklineError):
    """The code is not in the table, which says nothing about whether Twilio has it."""

    def __init__(self, code: int) -> None:
        super().__init__(
            f"{code} is not in Hookline's table, which has {len(CODES)} of Twilio's codes (as of {AS_OF}). "
            f"If Twilio has it, it is explained at {page_of(code)}"
        )


def explain(
    code: Annotated[int, typer.Argument(metavar="ERROR_CODE", min=1, max=999_999, help="Twilio's code, such as 30003.")],
    as_json: AsJson = False,
) -> None:
    """Explain an error code of Twilio: what it means for a webhook, a message or a call, and what to do.

    The codes are in `error_code` of statuses, in the ledger, and in Twilio's console. The table is part of Hookline, and a
    selection. The exit code is 1 if it does not have the code; the address of Twilio's page is printed all the same.

    Example: `hookline explain 30003`
    """
    found = CODES.get(code)
    if as_json:
        typer.echo(json_text(explained(code)))
    elif found is not None:
        print_facts(
            {
                "code": f"{code}: {found.title}",
                "meaning": found.meaning,
                "what to do": found.remedy,
                "Twilio's page": page_of(code),
                "as of": AS_OF,
            }
        )
    if found is None:
        raise UnknownCodeError(code)


def explained(code: int) -> dict[str, object]:
    """Return the --json output."""
    found = CODES.get(code)
    known = found._asdict() if found else dict.fromkeys(Explanation._fields)
    return {"code": code, "known": found is not None, **known, "page": page_of(code), "as_of": AS_OF}
