"""What an operator tunes in context/alerts.toml: thresholds, waiting times, floors, targets, and which rules are off.

    [alerts.HookErrors]
    threshold = 0.10      # of the rule's first condition
    for = "10m"
    floor = 20            # where the rule has one
    [alerts.LeaseStorm]
    window = "15m"        # of a rule that counts within one of its own
    [alerts.LeaseConflicts]
    off = true
    [slo.latency]
    target = 0.98

A shape, a metric, a severity cannot be changed here. What is not good is told, and that rule stays as delivered.
"""

from __future__ import annotations

import copy
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from levaithan.detectors import rules as rules_of
from levaithan.detectors.durations import seconds
from levaithan.detectors.objectives import ShapeError
from levaithan.detectors.rules import Rules
from levaithan.detectors.shapes import figure

FILE = "/alerts.toml"
_LONGEST_BYTES = 200_000
_LONGEST_FOR_S = 86400.0
_SHORTEST_WINDOW_S = 10.0
_KEYS = ("off", "threshold", "for", "floor", "window")
_FLOORS = ("floor", "floor_total")


def load(context: str) -> Rules:
    """The delivered rules, tuned by CONTEXT/alerts.toml. Never raises: what is wrong is in `problems`."""
    path = context + FILE
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LONGEST_BYTES + 1)
        if len(data) > _LONGEST_BYTES:
            raise ShapeError(f"it is longer than {_LONGEST_BYTES:,} bytes")
        return tuned(tomllib.loads(data.decode("utf-8")), path)
    except FileNotFoundError:
        return rules_of.default()
    except (OSError, ValueError) as problem:  # ValueError: not UTF-8, not TOML
        why = problem.strerror if isinstance(problem, OSError) else problem
        return replace(rules_of.default(), problems=(f"{path} is not followed: {why}",))


def tuned(wishes: dict[str, Any], where: str = "alerts.toml") -> Rules:
    """The delivered rules with these wishes, one after the other; each that is not good is left out and told."""
    tables: dict[str, Any] = copy.deepcopy(rules_of.delivered())
    unknown = wishes.keys() - _PARTS.keys()
    problems = [f"{where}: there is no [{key}], only [alerts.X] and [slo.X]" for key in sorted(unknown)]
    changed: dict[str, tuple[str, ...]] = {}
    off: set[str] = set()
    for part, apply in _PARTS.items():
        section = wishes.get(part, {})
        if not isinstance(section, dict):
            problems.append(f"{where}: [{part}] must be a table of tables")
            continue
        for name, wish in section.items():
            tried = copy.deepcopy(tables)
            try:
                if not isinstance(wish, dict):
                    raise ShapeError("it must be a table")
                apply(tried, name, wish)
                rules_of.build(tried)
            except (ShapeError, ValueError) as problem:
                problems.append(f"{where}: [{part}.{name}] is not followed: {problem}")
                continue
            tables = tried
            changed[name] = tuple(sorted(wish))
            off |= {name} if wish.get("off") is True else set()
    return _marked(rules_of.build(tables), changed, off, problems)


def _marked(built: Rules, changed: dict[str, tuple[str, ...]], off: set[str], problems: list[str]) -> Rules:
    """What was tuned is to be seen; a burn alert is tuned where its objective is."""
    slo_of = {slo.alert + speed: slo.name for slo in built.slos for speed in ("Fast", "", "Slow")}
    done = []
    for one in built.all:
        tuned_by = changed.get(one.alert) or changed.get(slo_of.get(one.alert, ""), ())
        done.append(replace(one, off=one.alert in off, tuned=tuned_by))
    count = len(built.rules)
    return Rules(tuple(done[:count]), built.slos, tuple(done[count:]), tuple(problems))


def _alert(tables: dict[str, Any], name: str, wish: dict[str, Any]) -> None:
    _known(wish, _KEYS)
    if not isinstance(wish.get("off", False), bool):
        raise ShapeError("off must be true or false")
    table = next((one for one in (*tables["rule"], *tables["detector"]) if one["alert"] == name), None)
    if table is None:
        _burn(tables, name, wish)
        return
    if table.get("shape") == "always" and wish.get("off"):
        raise ShapeError("it fires always: only when it is missed is a broken path from the rules to people noticed")
    first = (table.get("any") or table.get("all") or [table])[0]
    if "threshold" in wish:
        _threshold(first, wish)
    if "floor" in wish:
        key = next((key for key in _FLOORS if key in first), None)
        if key is None or figure(wish, "floor") < 0:
            raise ShapeError("it has no floor" if key is None else "floor must not be negative")
        first[key] = wish["floor"]
    if "window" in wish:
        first["window"] = _window(first, wish["window"])
    if "for" in wish and "shape" not in first:
        raise ShapeError("a detector does not wait")
    if "for" in wish:
        table["for"] = _waiting(wish["for"])


def _burn(tables: dict[str, Any], name: str, wish: dict[str, Any]) -> None:
    """A burn alert is made from its objective: it can be switched off, and its objective's target be set."""
    if rules_of.default().get(name) is None:
        raise ShapeError("there is no such alert; `levaithan alerts list` names them")
    if set(wish) - {"off"}:
        raise ShapeError("a burn alert can only be switched off; set the target of its [slo.NAME] instead")


def _threshold(first: dict[str, Any], wish: dict[str, Any]) -> None:
    if "threshold" not in first:
        raise ShapeError("it has no threshold")
    value = figure(wish)
    share = first.get("shape") == "ratio"
    if value < 0 or (share and not 0 < value < 1):
        raise ShapeError(
            f"threshold must be {'a share between 0 and 1' if share else 'no negative number'}, not {value:g}"
        )
    first["threshold"] = wish["threshold"]


def _window(first: dict[str, Any], words: object) -> object:
    """Only of what counts within one window of its own: a share of an objective is recorded for several alerts."""
    if "window" not in first or "slo" in first:
        raise ShapeError("it has no window of its own")
    if not _SHORTEST_WINDOW_S <= seconds(words) <= _LONGEST_FOR_S:
        raise ShapeError("window must be from 10 seconds to a day")
    return words


def _waiting(words: object) -> object:
    if seconds(words) > _LONGEST_FOR_S:
        raise ShapeError("for must not be longer than a day")
    return words


def _slo(tables: dict[str, Any], name: str, wish: dict[str, Any]) -> None:
    _known(wish, ("target",))
    table = next((one for one in tables["slo"] if one["name"] == name), None)
    if table is None:
        raise ShapeError("there is no such objective, only " + ", ".join(one["name"] for one in tables["slo"]))
    if not 0 < figure(wish, "target") < 1:
        raise ShapeError("target must be a share between 0 and 1")
    table["target"] = wish["target"]


def _known(wish: dict[str, Any], keys: tuple[str, ...]) -> None:
    if unknown := set(wish) - set(keys):
        raise ShapeError(f"there is no {', '.join(sorted(unknown))} to set, only {', '.join(keys)}")
    if not wish:
        raise ShapeError(f"it says nothing; it may set {', '.join(keys)}")


_PARTS = {"slo": _slo, "alerts": _alert}
