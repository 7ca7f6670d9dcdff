"""The error of the public API."""

from hookline_shared.errors import HooklineError


class HandlersError(HooklineError):
    """The handlers cannot be loaded, or one is registered wrongly. The message names the file and line, and what to change."""
