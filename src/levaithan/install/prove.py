"""Proves the fail direction: what happens to a call when the hook behind a registered command is broken.

Two halves. Ours: the real client program and gate, with a check that crashes, hangs or is damaged, must deny. Claude
Code's: a registered command that crashes, hangs, answers garbage or is missing must not let the tool run, which only
the real client can show; without one that half is said to be unproven. All in scratch folders; the one call that is
made writes a file into one of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.errors import LevaithanError
from levaithan.hot import paths
from levaithan.install import answers, canary, command, hooks, real_client, standin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.hot.paths import Home
    from levaithan.install.hooks import Registered
    from levaithan.install.real_client import Client

HANG_S = 1.0
_MARK = "ran.txt"
_THEIR_PART = "claude code"


@dataclass(frozen=True, slots=True)
class Proof:
    """part: "ours" or "claude code"; case; status (ok, warn, fail); message in words; remedy."""

    part: str
    case: str
    status: str
    message: str
    remedy: str = ""


# --- our half ------------------------------------------------------------------------------------------------------

_RAISE = "raise RuntimeError('broken on purpose by levaithan doctor')\n"
_OURS: dict[str, tuple[str, str]] = {
    "a check that crashes": ("hooks/policy_check.py", f"def hook(event, context):\n    {_RAISE}"),
    "a check that hangs": ("hooks/policy_check.py", "def hook(event, context):\n    while True:\n        pass\n"),
    "a check that cannot be loaded": ("hooks/policy_check.py", "def hook(:\n"),
    "rules that cannot be read": ("context/workflows.toml", "[[[ no toml\n"),
    "a halts file that cannot be read": ("state/halts.json", "{ no json\n"),
    "no Python for the check": ("state/hot.conf", "python=/nonexistent/python3\nsrc=/nonexistent\n"),
}


def ours(home: Home) -> list[Proof]:
    """Break one part after the other in copies of `home` and send a harmless call: it must be denied each time."""
    return [_our_case(home, case, *broken) for case, broken in _OURS.items()]


def _our_case(home: Home, case: str, name: str, text: str) -> Proof:
    with scratch(home) as made:
        target = Path(made.root, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        try:
            read = answers.read(canary.EVENT, hooks.run(command_in(made), json.dumps(_harmless(made.root)).encode()))
        except LevaithanError as problem:
            return Proof("ours", case, "fail", problem.message, problem.fix)
    if read.verdict in ("deny", "halt"):
        return Proof("ours", case, "ok", f"denied: {' '.join(read.reason.split())[:160]}")
    return Proof(
        "ours", case, "fail", f"the call was not denied ({read.verdict} {read.reason})", "run ./setup.sh again"
    )


def _harmless(folder: str) -> dict[str, Any]:
    return canary.payload("pass", folder)


@contextlib.contextmanager
def scratch(home: Home) -> Iterator[Home]:
    """A copy of the home's rules, hooks, settings and client, with a journal of its own; gone afterwards."""
    folder = os.path.realpath(tempfile.mkdtemp(prefix="levaithan-doctor-"))
    made = paths.home_at(folder + "/home")
    try:
        for part in (made.state, made.journal, made.bin, made.run):
            paths.ensure_private(part)
        for part in ("context", "hooks", "bin"):
            if Path(home.root, part).is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(f"{home.root}/{part}", f"{made.root}/{part}", dirs_exist_ok=True, ignore=ignore)
        if Path(home.hot_conf).is_file():
            shutil.copyfile(home.hot_conf, made.hot_conf)
        Path(folder, "project").mkdir()
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def project_of(made: Home) -> str:
    """The scratch project beside a scratch home."""
    return str(Path(made.root).parent / "project")


def command_in(made: Home) -> Registered:
    """The command that an install registers in the scratch project, through the public way."""
    project = project_of(made)
    if Path(made.context, "workflows.toml").is_file() and "nonexistent" not in Path(made.hot_conf).read_text("utf-8"):
        hooks.install(made, hooks.place_of(project), only=canary.EVENT)
        return hooks.registered(made, canary.EVENT, project, {"PATH": "/usr/bin:/bin", "HOME": project})
    words = command.client_words(made)
    return hooks.Registered(
        [*words, canary.EVENT, "--home", made.root],
        hooks.environment(project, {"PATH": "/usr/bin:/bin"}),
        project,
        10,
        "",
    )


# --- Claude Code's half --------------------------------------------------------------------------------------------


def _script(text: str) -> Callable[[Path], None]:
    def put(client: Path) -> None:
        client.write_text("#!/bin/sh\n" + text, encoding="utf-8")
        client.chmod(0o755)

    return put


_THEIRS: dict[str, Callable[[Path], None]] = {
    "a crash (exit 1)": _script("exit 1\n"),
    "a hang": _script("exec sleep 600\n"),
    "bad JSON": _script("cat >/dev/null; echo '{\"hookSpecificOutput\": nonsense}'\n"),
    "a missing file": lambda client: client.unlink(missing_ok=True),
}


def theirs(home: Home, client: Client | None) -> list[Proof]:
    """What the real client does with a call when the registered command is broken. Takes some seconds."""
    if client is None:
        return [_unasked_case(home, *case) for case in _THEIRS.items()]
    control = _their_case(home, client, "nothing broken", None)
    if control.status != "ok":
        return [control]
    with ThreadPoolExecutor(2) as pool:
        return [control, *pool.map(lambda case: _their_case(home, client, *case), _THEIRS.items())]


def _unasked_case(home: Home, case: str, broken: Callable[[Path], None]) -> Proof:
    """Without a client: what the broken command does, and what its registration asks of Claude Code then."""
    with scratch(home) as made:
        target = Path(made.bin, "levaithan-hook")
        _script("exit 0\n")(target)
        try:
            place = hooks.place_of(project_of(made))
            hooks.install(made, place, only=canary.EVENT, timeout_s=HANG_S if case == "a hang" else None)
            asked = hooks.handlers(place)[0].on_failure
            what = hooks.registered(made, canary.EVENT, place.project, {"PATH": "/usr/bin:/bin"})
            broken(target)
            seen = answers.read(canary.EVENT, hooks.run(what, json.dumps(_harmless(made.root)).encode())).reason
        except LevaithanError as problem:
            if case != "a missing file":
                return Proof(_THEIR_PART, case, "fail", problem.message, problem.fix)
            seen = "it cannot be started"
    said = f"the command failed ({seen}); its onFailure is {asked!r}. Not proven: no Claude Code was found to obey it"
    return Proof(_THEIR_PART, case, "warn", said, "install Claude Code, or name it in LEVAITHAN_CLAUDE")


def _their_case(home: Home, client: Client, case: str, broken: Callable[[Path], None] | None) -> Proof:
    with scratch(home) as made:
        project = project_of(made)
        person = str(Path(project).parent / "person")
        Path(person).mkdir()
        target = Path(made.bin, "levaithan-hook")
        if broken and not target.exists():
            _script("exit 0\n")(target)  # only its path is registered; what is there is broken next
        try:
            timeout = HANG_S if case == "a hang" else None
            hooks.install(made, hooks.place_of(project), only=canary.EVENT, timeout_s=timeout)
        except LevaithanError as problem:
            return Proof(_THEIR_PART, case, "fail", problem.message, problem.fix)
        if broken:
            broken(target)
        with standin.StandIn([("Bash", {"command": f"echo ran > {_MARK}", "description": "write a file"})]) as api:
            wrong = real_client.run(client, project, person, api.url)
            told = api.told.get(0)
        return _judge(client, case, Path(project, _MARK).exists(), told, wrong, intact=broken is None)


def _judge(client: Client, case: str, ran: bool, told: str | None, wrong: str, *, intact: bool) -> Proof:
    part = _THEIR_PART
    if told is None:
        said = wrong or "it never reported on the call"
        return Proof(
            part, case, "warn", f"not proven: the client {client.shown} did not do its part ({said})", "run it again"
        )
    if intact:
        if ran:
            return Proof(part, case, "ok", "the call ran, as it should")
        return Proof(part, case, "fail", f"a harmless call was stopped: {told[:200]}", "run `levaithan doctor --fix`")
    if not ran:
        return Proof(part, case, "ok", f"the call did not run: {' '.join(told.split())[:160]}")
    remedy = "update Claude Code" if not client.blocks else "run `levaithan hooks validate`"
    return Proof(
        part, case, "fail", f"Claude Code {client.shown} let the call run although its guard was broken", remedy
    )
