"""Checks of what the home keeps and decides with: halts, the list of installs, logs, rules and hooks, the gate."""

from __future__ import annotations

import copy
import json
import os
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.errors import InstallError
from levaithan.hot import budgets, flows, halts, hotconf, restraints, wire
from levaithan.hot.event import parse
from levaithan.hot.gate import Gate, machine_id
from levaithan.hot.journal import Journal, JournalError
from levaithan.hot.segments import encode, now
from levaithan.install import canary, home_files, home_folders, registry, usable
from levaithan.install.finding import Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.paths import Home
    from levaithan.install.finding import Asked


def halt_file(asked: Asked) -> Iterator[Result]:
    try:
        found = halts.active(asked.home)
    except halts.HaltError as problem:
        remedy = f"correct {asked.home.halts}, or levaithan doctor --fix, which puts it aside and begins an empty one"
        yield Result("halts", "fail", str(problem).partition(". In a")[0], remedy, partial(_new_halts, asked.home))
    else:
        yield Result("halts", "ok", f"{len(found)} in force" if found else "none in force")


def restraint_file(asked: Asked) -> Iterator[Result]:
    """The restraints, and whether tool calls are held against them: an older home's workflows name no such check."""
    mend = partial(_new_restraints, asked.home)
    try:
        found = restraints.active(asked.home)
    except restraints.RestraintError as problem:
        remedy = f"correct {asked.home.restraints}, or levaithan doctor --fix, which begins an empty one"
        yield Result("restraints", "fail", str(problem).partition(". In a")[0], remedy, mend)
        return
    flow = (flows.load(asked.home)[0] or {}).get("PreToolUse")
    if flow is not None and "restraint_check" not in flow["checks"]:
        words = (
            "context/workflows.toml, which you have changed, runs no restraint_check: no throttle or quarantine holds"
        )
        remedy = 'add "restraint_check" to the end of `checks` of [workflow.PreToolUse] in it'
        yield Result("restraints", "fail" if found else "warn", words, remedy)
    else:
        yield Result("restraints", "ok", f"{len(found)} in force" if found else "none in force")


def _new_restraints(home: Home) -> str:
    aside = home_folders.set_aside(home.restraints)
    registry.write_whole(home.restraints, b'{"version":1,"restraints":[]}\n', 0o600)
    return _noted(
        home, f"{home.restraints} could not be read and is kept as {aside}: no restraint is in force any more"
    )


def _new_halts(home: Home) -> str:
    """Begin an empty halts file; what stood there is kept, and the journal says so: a halt in it is over."""
    aside = home_folders.set_aside(home.halts)
    registry.write_whole(home.halts, b'{"version":1,"halts":[]}\n', 0o600)
    return _noted(home, f"{home.halts} could not be read and is kept as {aside}: no halt is in force any more")


def budget_file(asked: Asked) -> Iterator[Result]:
    """The limits that people set: without them more could be spent than they said."""
    file = budgets.state_file(asked.home)
    count = len(file.look().get("limits", {}))
    if file.broken:
        words = f"{file.path} is damaged, so nothing may be spent"
        remedy = "levaithan doctor --fix, which puts it aside, then `levaithan budget set` for each limit again"
        yield Result("budgets", "fail", words, remedy, partial(_no_budgets, asked.home, file.path))
    else:
        yield Result("budgets", "ok", f"{count} set at the terminal" if count else "none set at the terminal")


def _no_budgets(home: Home, path: str) -> str:
    aside = home_folders.set_aside(path)
    return _noted(home, f"{path} could not be read and is kept as {aside}: its limits do not hold any more")


def _noted(home: Home, said: str) -> str:
    """`said`, which the journal is told: what people had set is over."""
    note = {"v": 1, "kind": "note", "id": wire.new_event_id(), "at": now(), "machine": machine_id(home)}
    note |= {"by": "doctor --fix", "text": said}
    try:
        journal = Journal(home.journal, machine=str(note["machine"]))
        journal.append([(str(note["id"]), encode(note))])
        journal.sync()
    except JournalError as problem:
        return f"{said}; the journal could not be told ({problem})"
    return said


def installs(asked: Asked) -> Iterator[Result]:
    try:
        known = registry.load(asked.home)
    except InstallError as problem:
        words = f"{problem.message} Where hooks are registered is not known"
        remedy = "levaithan doctor --fix, then `levaithan hooks install` for each project again"
        yield Result("installs", "fail", words, remedy, partial(_new_installs, asked.home))
    else:
        yield Result("installs", "ok", f"{len(known)} places are known")


def _new_installs(home: Home) -> str:
    aside = home_folders.set_aside(home.installs)
    return f"the list is kept as {aside}; next: `levaithan hooks install --project DIR` (or --user) for each of them"


def log_files(asked: Asked) -> Iterator[Result]:
    """A log that cannot be written says nothing, not even that."""
    places = [Path(asked.home.logs, name) for name in ("service.log", "service.stderr", "hook-errors.log")]
    odd = [one for one in places if os.path.lexists(one) and not (one.is_file() and os.access(one, os.W_OK))]
    odd += [one for one in places if one.is_symlink() and one not in odd]
    if odd:
        words = f"{', '.join(map(str, odd))} cannot be written: no file, a link, or closed to us"
        yield Result("logs", "warn", words, "levaithan doctor --fix", partial(_new_logs, odd))
    else:
        yield Result("logs", "ok", "what the service says can be written down")


def _new_logs(odd: list[Path]) -> str:
    return f"begun anew; kept as {', '.join(home_folders.set_aside(str(one)) for one in odd)}"


def rules(asked: Asked) -> Iterator[Result]:
    broken = usable.unusable(asked.home)
    for name, why in broken.items():
        path = Path(asked.home.root, name)
        if usable.replaceable(asked.home, name):
            mend = partial(usable.replace, asked.home, [name])
            yield Result("rules", "fail", f"{name} cannot be used: {why}", "levaithan doctor --fix", mend)
        else:
            remedy = f"correct it; or move {path} away, then levaithan doctor --fix, which brings the shipped one"
            words = f"{name} cannot be used: {why}; the last good one stays in force, which was not the shipped one"
            yield Result("rules", "fail", words, remedy)
    if not broken:
        yield Result("rules", "ok", "the rules and hooks can be used")


def gate(asked: Asked) -> Iterator[Result]:
    """What the home's own rules say to the canary's two calls, in this process; nothing is recorded.

    Asked past halts and restraints, which would deny both calls: whether the rules work must be known before a halt
    is released."""
    made = Gate(_unhalted(asked.home), hotconf.read(asked.home.hot_conf))
    wrong = False
    for probe in canary.PROBES:
        call = canary.payload(probe, asked.home.root)
        del call["session_id"]  # no session: nothing is kept of it
        decision = made.decide(parse({"event": canary.EVENT}, json.dumps(call).encode()))[0].decision
        refused = decision.verdict in ("deny", "halt")
        if refused == (probe == "deny"):
            continue
        wrong = True
        did = f"refuses a harmless call: {decision.reason}" if refused else f"lets `{canary.PROBES[probe]}` pass"
        yield Result("gate", "fail", f"the gate {did}", _corrected(asked.home))
    for problem in made.problems:
        wrong = True
        yield Result("gate", "fail", problem, _corrected(asked.home))
    if not wrong:
        yield Result("gate", "ok", "it denies what must be denied and lets pass what must pass")


def _unhalted(home: Home) -> Home:
    """The same home without a halt or a restraint: files that are not there hold none."""
    free = copy.copy(home)
    free.halts, free.restraints = (f"{path}.of-the-gate-check" for path in (home.halts, home.restraints))
    return free


def _corrected(home: Home) -> str:
    """How a rule or hook comes right again: a checkout is its own home, which no shipped copy can be brought into."""
    if home_files.is_shipped_home(home):
        top = shlex.quote(str(Path(home.root).parent))
        return f"correct it, or take what was committed: git -C {top} checkout -- .claude/hooks .claude/context"
    return "correct that rule, hook or workflows.toml; or move what is broken away, then levaithan doctor --fix"


CHECKS = {
    "halts": halt_file,
    "restraints": restraint_file,
    "budgets": budget_file,
    "installs": installs,
    "logs": log_files,
    "rules": rules,
    "gate": gate,
}
