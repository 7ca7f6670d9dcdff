"""`hookline ingress` and `hookline processor`: run a service in this process."""

import typer

from hookline_cli.start import serve


def ingress() -> None:
    """Run ingress in the foreground until SIGTERM or Ctrl-C. For its settings, see `hookline config`.

    Example: TWILIO_AUTH_TOKEN=... PUBLIC_URL=https://hooks.example.com hookline ingress
    """
    raise typer.Exit(serve("ingress"))


def processor() -> None:
    """Run a processor in the foreground until SIGTERM or Ctrl-C. For its settings, see `hookline config`.

    Example: PROCESSOR_HANDLERS=bot:handlers hookline processor
    """
    raise typer.Exit(serve("processor"))
