"""An atomic hook as a file: loaded, and what is said of it when it cannot be.

Standard library only, and lean: the one-shot path loads this while Claude Code waits.
"""

from __future__ import annotations

import os
import sys

from levaithan.hot.bounded import short
from levaithan.hot.timelimit import Overrun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType
    from typing import Any

_MAX_SAID = 400


class HookError(Exception):
    """A hook that could not be loaded, or gave what is no opinion."""


class Hook:
    """One atomic hook, loaded: its function, its undo, or why it cannot be used (`error`)."""

    __slots__ = ("error", "function", "name", "path", "seen", "undo")

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path
        self.error: str | None = None
        self.function: Callable[..., Any] = _missing
        self.undo: Callable[..., Any] | None = None
        self.seen = stamp(path)


def _missing(*_: Any) -> None:
    raise HookError("it was never loaded")


def stamp(path: str) -> tuple[int, int, int] | None:
    """What tells two versions of a file apart, or None when there is none (but a folder, a pipe, a device, say)."""
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return (seen.st_mtime_ns, seen.st_size, seen.st_ino) if (seen.st_mode & 0o170000) == 0o100000 else None


def load_hook(name: str, path: str, entry: str, *, fresh: bool = False) -> Hook:
    """The hook in the file `path`, whose function is `entry` ("hook" or "record"). Never raises, see Hook.error.

    `fresh` compiles the source even where a compiled form is kept: for a file that has just been changed.
    """
    hook = Hook(name, path)
    if hook.seen is None:
        hook.error = f"{path} is missing, or no file"
        return hook
    module = type(sys)("levaithan_hook_" + name)
    module.__file__ = path
    try:
        code = _code(module.__name__, path, fresh=fresh)
        sys.modules[module.__name__] = module
        exec(code, module.__dict__)  # noqa: S102 - the installation's own hooks are code
        function = module.__dict__.get(entry)
        if not callable(function):
            raise HookError(f"{path} defines no function {entry}()")
        hook.function = function
        undo = module.__dict__.get("undo")
        hook.undo = undo if callable(undo) else None
    except Overrun:
        raise
    except BaseException as error:  # whatever a hook file does while it is loaded, it must not end the gate
        hook.error = say(error, path)
    return hook


def _code(name: str, path: str, *, fresh: bool) -> CodeType:
    if fresh:
        with open(path, "rb") as file:
            return compile(file.read(), path, "exec", dont_inherit=True)
    try:
        from _frozen_importlib_external import SourceFileLoader
    except ImportError:
        from importlib.machinery import SourceFileLoader
    code = SourceFileLoader(name, path).get_code(name)
    if code is None:
        raise HookError(f"{path} holds no code")
    return code


def say(error: BaseException, path: str) -> str:
    """An exception in one bounded line, with the line of the hook file it came from."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace: TracebackType | None = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == path and not isinstance(error, SyntaxError):
            line = trace.tb_lineno
        trace = trace.tb_next
    try:
        text = str(error)
    except Exception:
        text = "an error without words"
    text = short(text if isinstance(error, HookError) else f"{type(error).__name__}: {text}", _MAX_SAID)
    text = text.replace("\n", " ")
    return f"{text} ({path}, line {line})" if line else text
