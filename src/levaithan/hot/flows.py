"""Which atomic hooks run on which event: `context/workflows.toml`, checked and compiled.

The compiled form is kept in the home, so that the one-shot path need not import a TOML parser while Claude Code waits;
it is also the last good set, which stays in force, with a complaint, when somebody breaks the file. Standard library
only.
"""

from __future__ import annotations

import os

from levaithan.hot import kept
from levaithan.hot.catalogue import GUARDS
from levaithan.hot.paths import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.paths import Home

PARTS = ("checks", "reserves", "observers", "record")
DEFAULT = "default"
_CACHE = "/cache/workflows.json"
_FORMAT = 1
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")

Flows = dict[str, dict[str, list[str]]]


class FlowError(Exception):
    """workflows.toml cannot be used; the message says where and what to do."""


def load(home: Home) -> tuple[Flows | None, str | None]:
    """(the workflows in force, what is wrong or None). No workflows at all: the file is bad and never was good.

    Every workflow has all of PARTS: what an event's own table leaves out comes from `[workflow.default]`.
    """
    path = home.context + "/workflows.toml"
    cached = _cached(home.state + _CACHE)
    try:
        seen = os.stat(path)
        key = [_FORMAT, path, seen.st_mtime_ns, seen.st_size]
        if cached and cached.get("key") == key:
            return cached["flows"], None
        flows = compile_file(path)
    except OSError as error:
        problem = f"{path}: {error.strerror}; run `levaithan doctor --fix` to put it back"
    except FlowError as error:
        problem = str(error)
    else:
        kept.write(home.state + _CACHE, {"key": key, "flows": flows})
        return flows, None
    if cached and cached["key"][1] == path:
        return cached["flows"], problem + " (until then the last good workflows stay in force)"
    return None, problem


def compile_file(path: str) -> Flows:
    """The workflows of a TOML file. Raises FlowError, with the line, for anything that is no workflow; OSError."""
    import tomllib

    with open(path, "rb", opener=regular) as file:
        text = file.read(1 << 20).decode("utf-8", "replace")
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FlowError(f"{path}: {error}; correct it, `levaithan hooks validate` checks it") from None
    named = tables.get("workflow")
    if not isinstance(named, dict):
        raise FlowError(f"{path}, line 1: there is no [workflow.default] table; add it, see docs/reference/events.md")
    for name in tables.keys() - {"workflow"}:
        raise FlowError(f"{path}, line {_line(text, name)}: {name} is unknown here; only [workflow.<event>] tables are")
    default = _flow(path, text, DEFAULT, named.get(DEFAULT, {}), {part: [] for part in PARTS})
    made = {name: _flow(path, text, name, table, default) for name, table in named.items()} | {DEFAULT: default}
    _guarded(path, named, default)
    return made


def _guarded(path: str, named: dict[str, Any], default: dict[str, list[str]]) -> None:
    """A file that was cut off between two tables is TOML as well: a guard left out of it must not pass for one that
    has nothing to check."""
    for guard in sorted(GUARDS):
        if not default["checks"] and "checks" not in named.get(guard, ()):
            raise FlowError(
                f"{path}: the guard {guard} names no checks, as if the file had been cut off; add `[workflow.{guard}]` "
                "with `checks = [...]` (or `checks = []`, if nothing is meant to be checked)"
            )


def _flow(path: str, text: str, name: str, table: Any, default: dict[str, list[str]]) -> dict[str, list[str]]:
    where = f"{path}, line {_line(text, f'[workflow.{name}]')}: [workflow.{name}]"
    if not isinstance(table, dict):
        raise FlowError(f"{where} is no table; write `[workflow.{name}]` and its lists below it")
    for key, value in table.items():
        if key not in PARTS:
            raise FlowError(f"{where} has {key}, which is none of {', '.join(PARTS)}; remove or rename it")
        if not isinstance(value, list) or not all(isinstance(hook, str) and is_hook_name(hook) for hook in value):
            raise FlowError(f"{where}: {key} must be a list of hook names (lower case letters, digits and _)")
    return {part: list(table.get(part, default[part])) for part in PARTS}


def is_hook_name(name: str) -> bool:
    """Whether `name` may name a file in the hooks folder: nothing in it leads out of there."""
    return 0 < len(name) <= 64 and not name[0].isdigit() and name[0] != "_" and _LETTERS.issuperset(name)


def _line(text: str, needle: str) -> int:
    at = text.find(needle)
    return text.count("\n", 0, at) + 1 if at >= 0 else 1


def last_good(home: Home) -> Flows | None:
    """The compiled workflows that are kept: those in force while the file cannot be used. None when there are none."""
    cached = _cached(home.state + _CACHE)
    return cached["flows"] if cached and cached["key"][1] == home.context + "/workflows.toml" else None


def _cached(path: str) -> dict[str, Any] | None:
    """The compiled file if it is whole; anything odd about it means that there is none."""
    found = kept.read(path)
    try:
        if found["key"][0] != _FORMAT or not isinstance(found["key"][1], str):
            return None
        for flow in (found["flows"][DEFAULT], *found["flows"].values()):
            for part in PARTS:
                if not all(is_hook_name(hook) for hook in flow[part]):
                    return None
    except Exception:  # a damaged cache is no cache
        return None
    return dict(found)
