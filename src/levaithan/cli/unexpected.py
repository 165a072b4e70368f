"""Errors that nobody raised on purpose: known kinds get words of their own, the rest is logged and told in one line."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from levaithan import __version__, errors
from levaithan.cli.commands import COMMANDS
from levaithan.cli.state import STATE
from levaithan.hot import paths

_LOG_LIMIT = 1 << 20
_FULL = "free space on its disk (or raise the quota), then run the command again"
_DISK: dict[int | None, str] = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: "make its disk writable again, then run the command again",
}


def explained(problem: BaseException) -> errors.LevaithanError:
    """`problem` as an error with a next step."""
    known = _known(problem)
    if known is not None:
        return known
    where = _log(problem)
    kind = type(problem).__name__
    return errors.LevaithanError(
        f"Something went wrong that should not have: {kind}: {_first_line(problem)}",
        fix=f"the details are in {where}; run `levaithan doctor`, and report it with that file if it stays"
        if where
        else "run it again with LEVAITHAN_DEBUG=1 to see the details, and report them",
    )


def _known(problem: BaseException) -> errors.LevaithanError | None:
    reason = getattr(problem, "reason", None)
    if type(problem).__name__ == "JournalError":
        return errors.JournalUnavailable(path=STATE.home().journal, reason=str(problem) or reason)
    if isinstance(problem, OSError) and (problem.filename is not None or problem.errno in _DISK):
        name = problem.filename if problem.filename is not None else STATE.home().root
        return errors.LevaithanError(
            f"{os.fsdecode(name) if isinstance(name, bytes) else name}: {problem.strerror or type(problem).__name__}.",
            fix=_DISK.get(
                problem.errno, "see that the path is right and that you may use it, then run the command again"
            ),
        )
    if isinstance(problem, UnicodeEncodeError) and problem.reason.startswith("surrogates"):
        return errors.UsageProblem(
            f"{problem.object[:200]!a} is no UTF-8.", fix="ids and names are text: copy one from `--json` of the list"
        )
    if isinstance(problem, ModuleNotFoundError) and not (problem.name or "").startswith("levaithan"):
        return errors.NotConfigured(
            f"The Python package {problem.name} is not installed.",
            fix="run ./setup.sh again, or `pip install levaithan` with the extra of the store that you set",
        )
    return None


def _first_line(problem: BaseException) -> str:
    return (str(problem).splitlines() or ["no details"])[0][:300]


def _log(problem: BaseException) -> str | None:
    """Append the traceback, redacted, to logs/cli-errors.log of the home. Its path; None = not written."""
    home = STATE.home()
    path = Path(home.logs) / "cli-errors.log"
    at = datetime.now(UTC).isoformat(timespec="seconds")
    details = "".join(traceback.format_exception(problem))
    entry = f"{at} levaithan {__version__} python {sys.version.split()[0]}: {_command()}\n{details}\n"
    try:
        paths.ensure_private(home.logs)
        mode = "w" if path.exists() and path.stat().st_size > _LOG_LIMIT else "a"
        with open(path, mode, encoding="utf-8", errors="backslashreplace", opener=_private) as file:
            file.write(_redacted(entry))
    except OSError:
        return None
    return str(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _command() -> str:
    """The command's name and its options' names: the values may be secrets or somebody's text."""
    options = [word.partition("=")[0] for word in sys.argv[1:] if word.startswith("--")]
    return " ".join([*(word for word in sys.argv[1:] if word in COMMANDS), *options])


def _redacted(text: str) -> str:
    from levaithan.hot import redact

    return redact.redact_text(text)[0]
