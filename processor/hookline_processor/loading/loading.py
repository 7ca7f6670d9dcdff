"""Importing the user's handlers, with a one-line error for every way in which that fails."""

import importlib
import traceback
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Final

from hookline_processor.api.context import Context
from hookline_processor.api.errors import HandlersError
from hookline_processor.api.handlers import Handlers
from hookline_processor.loading.user_folder import HiddenModule, UserFolder, modules_in
from hookline_processor.verdicts import Failure
from hookline_shared.catalogue.webhook_event import WebhookEvent

_IMPORT_SYSTEM: Final = (__file__, importlib.__file__ or "", "<frozen importlib")


def working_folder() -> UserFolder:
    """Return the working folder of this process.

    Raises:
        HandlersError: if it no longer exists.

    """
    try:
        return UserFolder(Path.cwd())
    except OSError as error:
        raise HandlersError(f"The working folder cannot be used: {error.strerror}. Start from a folder that exists.") from None


def load(location: str, folder: UserFolder) -> Handlers:
    """Return the `Handlers` object at `location`, written `module:attribute`, from `folder` or the import path.

    Raises:
        HandlersError: if it cannot be imported or is not a `Handlers` object.

    """
    name, _, attribute = location.partition(":")
    folder.put_on_path()
    try:
        module = importlib.import_module(name)
    except BaseException as error:  # no signal raises KeyboardInterrupt: `prepare_process` has those
        raise _ImportFailure(location, folder, error).to_error() from error
    found = getattr(module, attribute, None)
    if not isinstance(found, Handlers):
        raise HandlersError(f"PROCESSOR_HANDLERS={location}: {_explain_attribute(module, attribute, folder)}")
    return found


def log_only() -> Handlers:
    """Return handlers that log and settle every event: those of a processor without PROCESSOR_HANDLERS."""
    handlers = Handlers()

    @handlers.on("*")
    async def log(event: WebhookEvent, context: Context) -> None:
        context.logger.info("event settled without a handler", parameters=len(event.params), remedy="set PROCESSOR_HANDLERS")

    return handlers


class _ImportFailure:
    """Why importing the module of `location` failed with `error`."""

    def __init__(self, location: str, folder: UserFolder, error: BaseException) -> None:
        self._location = location
        self._name = location.partition(":")[0]
        self._folder = folder
        self._error = error
        frames = traceback.extract_tb(error.__traceback__)
        self._frames = [frame for frame in frames if not frame.filename.startswith(_IMPORT_SYSTEM)]

    def to_error(self) -> HandlersError:
        hidden = self._folder.hidden((frame.filename for frame in self._frames), self._name)
        text = f"PROCESSOR_HANDLERS={self._location}: {self._description()}{''.join(f' {one}' for one in hidden)}"
        return HandlersError(" ".join(text.split()))

    def _description(self) -> str:
        match self._error:
            case HandlersError() as error:  # it names file and line of what is declared wrongly
                return str(error)
            case ModuleNotFoundError() if not self._frames:
                return self._no_module()
            case ModuleNotFoundError(name=str(name)):
                return (
                    f"importing {self._name} needs the module {name}, which is not there ({self._location_text()}). "
                    "Install it where Hookline is installed, or put it into the folder that you start from."
                )
            case SystemExit() | KeyboardInterrupt():
                return (
                    f"importing {self._name} ends the process with {self._error!r} ({self._location_text()}). "
                    'Put what is not to run then below `if __name__ == "__main__":`.'
                )
            case error:
                problem = (
                    f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else Failure.of(error).message}"
                )
                return f"importing {self._name} failed with {problem} ({self._location_text()}). Fix that, then start again."

    def _no_module(self) -> str:
        parent, _, last = self._name.rpartition(".")
        folder = self._folder.path.joinpath(*parent.split(".")) if parent else self._folder.path
        matches = get_close_matches(last, modules_in(folder).keys() - {last}, n=1)
        suggestion = (
            f" Did you mean {parent}{'.' if parent else ''}{matches[0]}:{self._location.partition(':')[2]}?" if matches else ""
        )
        return f"there is no module {self._name} in {self._folder.path}.{suggestion} Start from its folder, or set PYTHONPATH."

    def _location_text(self) -> str:
        """Return file and line of the syntax error, or the last traceback line in the user's modules, or the last of all."""
        if isinstance(self._error, SyntaxError) and self._error.filename:
            return f"{self._error.filename}, line {self._error.lineno}"
        own = [frame for frame in self._frames if self._folder.owns(frame.filename)]
        for frame in (own or self._frames)[-1:]:
            return f"{frame.filename}, line {frame.lineno}"
        return "before its first line"


def _explain_attribute(module: ModuleType, attribute: str, folder: UserFolder) -> str:
    name, top = module.__name__, module.__name__.partition(".")[0]
    file = module.__file__ or next(iter(getattr(module, "__path__", ())), "")
    if top in folder.modules and not folder.owns(file):
        return str(HiddenModule(top, folder.modules[top]))
    if top == "hookline" or top.startswith("hookline_"):
        return f"{name} is a module of Hookline. Name the module of yours that has the Handlers(), for example bot:handlers."
    found = getattr(module, attribute, None)
    problem = "does not exist" if found is None else f"is a {type(found).__name__}"
    return f"{attribute} {problem} in {name}; it must be a Handlers().{_suggest(module)}"


def _suggest(module: ModuleType) -> str:
    """Return a sentence that suggests other locations of the handlers, or an empty string if there are none."""
    locations = [f"{module.__name__}:{name}" for name, value in vars(module).items() if isinstance(value, Handlers)]
    if locations:
        return f" Did you mean {' or '.join(locations)}?"
    modules = sorted({name for folder in getattr(module, "__path__", ()) for name in modules_in(Path(folder))})
    modules = [f"{module.__name__}.{name}" for name in modules if not name.startswith("_")]
    if not modules:
        return ""
    kind = "a package" if module.__file__ else "a folder without __init__.py"
    return f" {module.__name__} is {kind}; name the module in it that has them: {', '.join(modules[:5])}."
