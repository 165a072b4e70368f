"""`python -m levaithan.service --home H`: serves in the foreground; with --detach in the background.

Detached, it tells whoever started it on stdout, in one line of JSON, that it is up or why not, then lets go of it.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from levaithan.errors import LevaithanError
from levaithan.hot.paths import home_at
from levaithan.service.run import run

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.service.app import App

_MOST_STDERR = 1 << 20


def main(arguments: list[str] | None = None) -> int:
    """Serve; gives the exit code. Messages to a person are on stderr."""
    parser = argparse.ArgumentParser(prog="levaithan.service", description=__doc__)
    parser.add_argument("--home", required=True, help="the root folder of the home")
    parser.add_argument("--detach", action="store_true", help="go to the background; report on stdout")
    chosen = parser.parse_args(arguments)
    home = home_at(chosen.home)
    if chosen.detach:
        _detach()
    try:
        return run(home, on_ready=_let_go if chosen.detach else None)
    except LevaithanError as problem:
        if chosen.detach:
            report({"error": problem.message, "fix": problem.fix, "code": problem.code})
        else:
            sys.stderr.write(f"{problem.message}\n{problem.fix}\n")
        return problem.exit_code


def _detach() -> None:
    """Become a child of nobody, in a session of its own: no terminal, and no zombie for whoever started us."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    os.umask(0o077)


def _let_go(app: App) -> None:
    """Say that we are up, then close what is the starter's; what a crash of the interpreter says goes to a file."""
    report({"ready": app.ready, "pid": os.getpid(), "problem": app.committer.last_error})
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    _catch_crashes(app.home)


def _catch_crashes(home: Home) -> None:
    path = home.logs + "/service.stderr"
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        if os.fstat(descriptor).st_size > _MOST_STDERR:
            os.ftruncate(descriptor, 0)
        os.dup2(descriptor, 2)
        os.close(descriptor)
        faulthandler.enable()
    except OSError:
        return


def report(told: dict[str, Any]) -> None:
    """One line for whoever started us, if it still listens."""
    try:
        os.write(1, json.dumps(told).encode() + b"\n")
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main())
