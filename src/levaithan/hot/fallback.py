"""What the Python client does when no service answers: the one-shot in a process of its own, or the fail direction.

Apart from ask.py so that the good path does not load it. Standard library only.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import posix
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from levaithan.hot.ask import Call

_TOTAL_S = 9.0
"""From the client's begin; the refusal must come before Claude Code's own timeout, which would let the tool run."""
_NEXT = "Next step, in a terminal: run `levaithan doctor --fix` or `./setup.sh`, then try again.\n"

_DENY = '{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"deny","message":"%s"}}}\n'


class _TimeIsOver(BaseException):
    """The timer rang."""


def _ring(_number: int, _frame: Any) -> NoReturn:
    raise _TimeIsOver


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[posix.write(descriptor, data) :]


def own_home() -> str:
    """The home of a call without --home; the environment, which is the agent's, is not asked."""
    from levaithan.hot.paths import find_home

    return find_home(None, {}).root


def fail_direction(call: Call, why: str) -> int:
    """The end of the road: nobody can decide. Says why and gives the exit code of the event's fail direction."""
    if not call.event:
        sys.path.insert(0, call.src)
        from levaithan.hot.event import scan_name

        call.event = scan_name(call.payload)
    if call.event not in ("PreToolUse", "PermissionRequest", "UserPromptSubmit", "ConfigChange"):
        return 0
    text = f"LevAIthan refuses this {call.event}: it could not be checked ({why}). {_NEXT}"
    code, descriptor = 2, 2
    if call.event == "PermissionRequest":  # it ignores exit 2, so it is denied in JSON (`why` needs no escapes)
        code, descriptor = 0, 1
        text = _DENY % text.rstrip()
    try:
        _write_all(descriptor, text.encode("utf-8", "backslashreplace"))
    except OSError:
        return 2
    return code


def run_oneshot(call: Call) -> int:
    """The gate in a child, fed by a pipe; a Python that crashes or hangs becomes the fail direction."""
    script = call.src + "/levaithan/hot/oneshot.py"
    for path, mode, why in (
        (call.python, posix.X_OK, "the Python that state/hot.conf names is not there"),
        (script, posix.R_OK, "the installed source that state/hot.conf names is not there"),
    ):
        if not path or not posix.access(path, mode):
            return fail_direction(call, "no service answers, and " + why)
    arguments = [call.python, "-I", "-S", script, call.event, "--home", call.home, "--id", call.id]
    arguments += ["--started", call.started, "--path", "python"]
    if call.total > call.max_stdin:
        arguments += ["--truncated", str(call.total)]
    if call.sent:
        arguments.append("--sent")
    child = 0
    try:
        _signal.signal(_signal.SIGALRM, _ring)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # an inherited SIG_IGN would hide its exit code
        _signal.setitimer(_signal.ITIMER_REAL, max(_TOTAL_S - (time.monotonic() - call.begun), 0.5))
        ours, theirs = posix.pipe(), posix.POSIX_SPAWN_DUP2
        child = posix.posix_spawn(call.python, arguments, posix.environ, file_actions=[(theirs, ours[0], 0)])
        posix.close(ours[0])
        try:
            _write_all(ours[1], call.payload)
        except OSError:  # if it reads no more, its exit code counts
            pass
        posix.close(ours[1])
        _, status = posix.waitpid(child, 0)
        code = posix.waitstatus_to_exitcode(status)
    except (OSError, _TimeIsOver):
        code = -1
        if child:
            posix.kill(child, 9)
    return code if code in (0, 2) else fail_direction(call, "no service answers, and the check without it failed")
