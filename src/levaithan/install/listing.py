"""What is registered where, and whether it would work: rows for `hooks list`, `hooks validate`, `status` and doctor.

Reads only. Rows are plain dicts, so that every surface can print them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.hot.catalogue import EVENTS, GUARDS
from levaithan.install import (
    command,
    hooks,
    json_spans,
    places,
    registry,
    settings_disk,
    settings_rules,
    switched_off,
)
from levaithan.install.places import Place
from levaithan.install.switched_off import as_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.hot.paths import Home

Row = dict[str, Any]
INSTALL = "levaithan hooks install"
"""How a remedy begins that registering again is."""


def known_places(home: Home) -> list[Place]:
    """The places that installs.json names. Raises InstallError when it cannot be read."""
    return [Place(one.scope, one.path, one.project) for one in registry.load(home).values()]


def in_force(home: Home, project: str | None, environ: Mapping[str, str] | None = None) -> list[Place]:
    """Every settings file to look at: those in force in `project`, then the other places that we know of."""
    found = {os.path.realpath(place.path): place for place in places.places_of(project, environ)}
    for place in known_places(home):
        found.setdefault(os.path.realpath(place.path), place)
    return list(found.values())


def rows(home: Home, project: str | None = None, environ: Mapping[str, str] | None = None) -> list[Row]:
    """A row a registered handler of LevAIthan: scope, path, project, event, home, command, timeout, on_failure,
    status (ok, warn, fail), problem, remedy."""
    words = command.client_words(home)
    found = []
    for place in in_force(home, project, environ):
        off = switched_off.by_settings(place.project or project, environ)
        for one in hooks.handlers(place):
            row = _row(home, one, words)
            if off and row["status"] == "ok":
                row |= {"status": "fail", "problem": off[0]["problem"], "remedy": _taken_out(off[0])}
            found.append(row)
    return found


def _taken_out(off: Row) -> str:
    return f"{off['remedy']} ({off['path']})"


def _row(home: Home, one: hooks.Handler, words: list[str]) -> Row:
    status, problem, remedy = _judge(home, one, words)
    return {
        "scope": one.place.scope,
        "path": one.place.path,
        "project": one.place.project,
        "event": one.event,
        "home": one.home,
        "command": one.words,
        "timeout": one.timeout_s,
        "on_failure": one.on_failure,
        "status": status,
        "problem": problem,
        "remedy": remedy,
    }


def _judge(home: Home, one: hooks.Handler, words: list[str]) -> tuple[str, str, str]:
    """(status, problem, remedy) of a handler; `words`: the command that would be registered now."""
    if one.home != home.root:
        away = f"levaithan --home {one.home} hooks uninstall {option(one.place)}"
        return "warn", "it belongs to another installation", away
    wrong = broken(one)
    if wrong:
        return "fail", wrong, f"{INSTALL} {option(one.place)}"
    if one.words != [*words, one.event, "--home", home.root]:
        return "warn", "it is not the command that would be registered now", f"{INSTALL} {option(one.place)}"
    return "ok", "", ""


def broken(one: hooks.Handler) -> str:
    """Why a handler of ours does not do its work; "" when it does."""
    spec = EVENTS.get(one.event)
    if spec is None or not spec.registered:
        return f"{one.event} must not be registered" + (f": {spec.why}" if spec else "")
    lost = next((word for word in one.words if word.startswith("/") and not Path(word).exists()), None)
    if lost or not os.access(one.words[0], os.X_OK):
        return f"{lost} is not there" if lost else f"{one.words[0]} cannot be run"
    if one.event in GUARDS and one.on_failure != "block":
        return 'onFailure is not "block": Claude Code lets the tool run when this guard fails'
    if one.event in GUARDS and one.matcher not in (None, "", "*"):
        return f"its matcher {one.matcher!r} lets other calls past the guard"
    return ""


def option(place: Place) -> str:
    """The options that name a place on the command line."""
    if place.scope == "user":
        return "--user"
    return f"--project {place.project or '.'}" + (" --local" if place.scope == "local" else "")


def installed(home: Home) -> list[Row]:
    """A row a place that installs.json names: where, status, problem, remedy, scope, path, project, events, missing."""
    return [place_row(home, place) for place in known_places(home)]


def gone(place: Place) -> bool:
    """Whether the project of a place is no more: Claude Code cannot be at work there."""
    return bool(place.project) and not Path(place.project).is_dir()


def place_row(home: Home, place: Place) -> Row:
    """How our hooks are in one place, in one line."""
    mine = [one for one in hooks.handlers(place) if one.home == home.root]
    words = command.client_words(home)
    judged = [_judge(home, one, words) for one in mine]
    missing = [
        spec.name for spec in EVENTS.values() if spec.registered and spec.name not in {one.event for one in mine}
    ]
    again = f"{INSTALL} {option(place)}"
    wrong = [one for one in file_problems(place) if one.weight == "file"]
    off = switched_off.by_settings(place.project or None)
    if gone(place):
        state = ("warn", "the project's folder is gone", "levaithan doctor --fix (it is forgotten then)")
    elif wrong:
        said = f"line {wrong[0].line}: {wrong[0].message}; Claude Code drops the whole file"
        state = ("fail", said, f"mend {place.path}, then {again}")
    elif off:
        state = ("fail", off[0]["problem"], _taken_out(off[0]))
    elif not mine:
        state = ("fail", "the hooks are gone from it", f"{again} (or levaithan hooks uninstall {option(place)})")
    elif missing:
        weight = "fail" if GUARDS.intersection(missing) else "warn"
        state = (weight, f"without {', '.join(missing)}", again)
    else:
        order = {"fail": 0, "warn": 1, "ok": 2}
        state = min(judged, key=lambda one: order[one[0]])
    where = "every project (user settings)" if place.scope == "user" else place.project
    return {
        "where": where, "status": state[0], "problem": state[1], "remedy": state[2], "scope": place.scope,
        "path": place.path, "project": place.project, "events": len(mine), "missing": missing,
    }  # fmt: skip


def file_problems(place: Place) -> list[settings_rules.Problem]:
    """What Claude Code refuses in a settings file; nothing for a file that is not there."""
    try:
        text = settings_disk.bytes_at(place.path).decode("utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return [settings_rules.Problem("file", 1, 1, "", f"it cannot be read ({words})")]
    if not text.strip(" \t\r\n" + json_spans.BOM):
        return []
    return settings_rules.problems(text)


def validate(home: Home, project: str | None = None, environ: Mapping[str, str] | None = None) -> list[Row]:
    """A row a problem in any settings file in force, foreign entries too: path, line, column, status, problem, remedy.

    A broken foreign entry can switch our guards off in silence, so it is a failure here as well.
    """
    found: list[Row] = []
    words = command.client_words(home)
    for place in in_force(home, project, environ):
        for one in file_problems(place):
            whole = one.weight == "file"
            effect = "every hook of this file is off" if whole else "Claude Code drops this entry"
            said = f"{one.place}: {one.message}" if one.place else one.message
            row = as_problem(place, "fail" if whole else "warn", f"{said} ({effect})", "mend that line")
            found.append(row | {"line": one.line, "column": one.column})
        found += [
            as_problem(place, row["status"], f"{row['event']}: {row['problem']}", row["remedy"])
            for row in (_row(home, one, words) for one in hooks.handlers(place))
            if row["status"] != "ok"
        ]
    return found + switched_off.everywhere(project, known_places(home), environ)
