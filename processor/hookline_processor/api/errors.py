"""What is wrong with the user's handlers."""

from hookline_shared.errors import HooklineError


class HandlersError(HooklineError):
    """The user's handlers cannot be loaded or are declared wrongly."""
