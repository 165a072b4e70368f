"""Reads a charter (TOML), checks every key of it, and refuses what is wrong with file, line and reason.

Two files have this shape: `context/charter.toml` of the home, by a person, and a project's `.claude/levaithan.toml`,
which may only be stricter. Runs when one of them has changed, not on every event. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.charter import FIXED_PACKS, LIMITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PROJECT_PACK = "project"
"""The name under which a project's own rules count as a pack."""
EFFECTS = ("deny", "ask", "warn", "off")
SCOPES = ("session", "task", "agent", "project", "day", "week", "month")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_S = 366 * 86400
_MOST = 10**12


class CharterError(Exception):
    """A charter is refused; the message has file, line and reason."""


class _WrongError(Exception):
    """What is wrong with one value, and near which text it stands."""

    def __init__(self, what: str, near: str = "") -> None:
        super().__init__(what)
        self.near = near


def compiled(path: str, data: bytes, *, of_project: bool = False) -> dict[str, Any]:
    """The charter in `data` (the content of `path`), durations in seconds. Raises CharterError."""
    import tomllib

    try:
        text = data.decode("utf-8")
        given = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise CharterError(f"{path}:{data[: error.start].count(10) + 1}: not UTF-8") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and what numbers and nesting out of bounds raise
        message = str(error)
        line = message.rpartition("at line ")[2].partition(",")[0] if "at line " in message else "1"
        raise CharterError(f"{path}:{line}: {message.partition(' (at ')[0]}") from None
    try:
        made = _checked(given, _PROJECT if of_project else _HOME)
    except _WrongError as wrong:
        at = text.find(wrong.near) if wrong.near else -1
        raise CharterError(f"{path}:{text.count(chr(10), 0, max(at, 0)) + 1}: {wrong}") from None
    if "rule" in made:
        made["rule"] = _rules(path, text, made["rule"])
    return made


def _rules(path: str, text: str, tables: Any) -> list[dict[str, Any]]:
    """A project's own rules, compiled and held against their own examples like every other."""
    from levaithan.hot.policy_pack import PackError, compile_tables

    if not isinstance(tables, list):
        raise CharterError(f"{path}:1: write [[rule]], once a rule")
    try:
        return [{**rule, "pack": PROJECT_PACK} for rule in compile_tables(path, text, tables)]
    except PackError as error:
        raise CharterError(str(error)) from None


def _checked(given: dict[str, Any], sections: dict[str, Callable[[str, Any], Any]]) -> dict[str, Any]:
    version = given.get("version", 1)
    if version != 1:
        raise _WrongError(f"version {version!r} is not known here: 1 is", "version")
    made = {}
    for name, value in given.items():
        if name == "version":
            continue
        if name not in sections:
            raise _WrongError(f"{name!r} is unknown here; there is {', '.join(sections)}", name)
        made[name] = sections[name](name, value)
    _fixed(made)
    return made


def _fixed(made: dict[str, Any]) -> None:
    """Nobody switches off what guards the guard."""
    chosen = [directive for directive in made.get("directive", ()) if not directive.get("enabled", True)]
    off = [
        *made.get("policy", {}).get("off", ()),
        *(pack for directive in chosen for pack in directive.get("packs", ())),
    ]
    for pack in FIXED_PACKS:
        if pack in off:
            raise _WrongError(
                f"the pack {pack} cannot be switched off: without it the guard does not guard itself", pack
            )


def _table(keys: dict[str, Callable[[str, Any], Any]], *needed: str) -> Callable[[str, Any], Any]:
    def check(where: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _WrongError(f"{where} is a table", where)
        for key in value:
            if key not in keys:
                raise _WrongError(f"{where} has no {key!r}; there is {', '.join(keys)}", key)
        for key in needed:
            if key not in value:
                raise _WrongError(f"{where} needs {key}", where)
        return {key: keys[key](f"{where}.{key}", one) for key, one in value.items()}

    return check


def _several(check: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    def checks(where: str, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _WrongError(f"{where} is a list", where.rpartition(".")[2])
        return [check(where, one) for one in value]

    return checks


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _WrongError(f"{where} is a text", where.rpartition(".")[2])
    return value


def _switch(where: str, value: Any) -> bool:
    if type(value) is not bool:
        raise _WrongError(f"{where} is true or false", where.rpartition(".")[2])
    return value


def _one_of(*allowed: str) -> Callable[[str, Any], Any]:
    def check(where: str, value: Any) -> str:
        if value not in allowed:
            raise _WrongError(f"{where} is one of {', '.join(allowed)}, not {value!r}", where.rpartition(".")[2])
        return str(value)

    return check


def _whole(least: int, most: int) -> Callable[[str, Any], Any]:
    def check(where: str, value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise _WrongError(f"{where} is a whole number from {least} to {most}", where.rpartition(".")[2])
        return value

    return check


def _amount(least: float, most: float) -> Callable[[str, Any], Any]:
    def check(where: str, value: Any) -> float:
        if type(value) not in (int, float) or not least <= value <= most:
            raise _WrongError(f"{where} is a number from {least:g} to {most:g}", where.rpartition(".")[2])
        return float(value)

    return check


def _duration(where: str, value: Any) -> int:
    """Seconds, of a text such as "90s", "10m", "2h", "1d"."""
    seconds = 0
    if isinstance(value, str) and value[:-1].isascii() and value[:-1].isdigit() and len(value) < 12:
        seconds = int(value[:-1]) * _UNITS.get(value[-1], 0)
    if not 0 < seconds <= _LONGEST_S:
        raise _WrongError(f'{where} is a time such as "90s", "10m", "2h" or "1d"', where.rpartition(".")[2])
    return seconds


def _overrides(where: str, value: Any) -> dict[str, dict[str, str]]:
    """{rule id or pattern: {effect?, mode?}}, of `"git.*" = "ask"` or `"git.*" = {mode = "shadow"}`."""
    if not isinstance(value, dict):
        raise _WrongError(f"{where} is a table", where.rpartition(".")[2])
    one = _table({"effect": _one_of(*EFFECTS), "mode": _one_of("enforce", "shadow")})
    effect = _one_of(*EFFECTS)
    return {
        name: {"effect": effect(f"{where}.{name}", said)} if isinstance(said, str) else one(f"{where}.{name}", said)
        for name, said in value.items()
    }


def _as_is(_: str, value: Any) -> Any:
    return value  # rules: the compiler of packs looks at them


_REQUIRED = _several(_table({"rules": _several(_text), "by": _several(_text)}, "rules"))
_BUDGET = _table(
    {
        "scope": _one_of(*SCOPES),
        "target": _text,
        "usd": _amount(0, 1e9),
        "warn": _amount(0.01, 10),
        "ask": _amount(0.01, 10),
        "deny": _amount(0.01, 10),
        "halt": _amount(0.01, 10),
    },
    "scope",
    "usd",
)
_PACE: dict[str, Callable[[str, Any], Any]] = {
    "calls_per_minute": _whole(0, _MOST),
    "calls_per_minute_by_agent": _whole(0, _MOST),
    "calls_per_minute_by_tool": _whole(0, _MOST),
    "calls_per_minute_by_project": _whole(0, _MOST),
    "tokens_per_minute": _whole(0, _MOST),
    "tokens_per_minute_by_agent": _whole(0, _MOST),
    "tokens_per_minute_by_project": _whole(0, _MOST),
    "denials_per_minute": _whole(0, _MOST),
    "denials_per_minute_by_agent": _whole(0, _MOST),
    "denials_per_minute_by_tool": _whole(0, _MOST),
    "denials_per_minute_by_project": _whole(0, _MOST),
    "repeats_warn": _whole(0, _MOST),
    "repeats_deny": _whole(0, _MOST),
    "pingpong_deny": _whole(0, _MOST),
}
_HOME: dict[str, Callable[[str, Any], Any]] = {
    "directive": _several(
        _table(
            {
                "id": _text,
                "text": _text,
                "enabled": _switch,
                "packs": _several(_text),
                "limits": _several(_one_of(*LIMITS)),
                "approvals": _REQUIRED,
            },
            "id",
            "text",
        )
    ),
    "policy": _table({"off": _several(_text), "rules": _overrides}),
    "secrets": _table({"prompt": _one_of(*EFFECTS), "command": _one_of(*EFFECTS), "output": _one_of("warn", "off")}),
    "approvals": _table(
        {"headless": _one_of("ticket", "deny"), "waits": _duration, "passes": _duration, "required": _REQUIRED}
    ),
    "pace": _table(
        {**_PACE, "enabled": _switch, "exempt": _several(_text), "backoff": _duration, "backoff_longest": _duration}
    ),
    "leases": _table(
        {
            "enabled": _switch,
            "expires": _duration,
            "on_conflict": _one_of("deny", "ask", "warn"),
            "ignore": _several(_text),
        }
    ),
    "budgets": _table(
        {
            "enabled": _switch,
            "limit": _several(_BUDGET),
            "reserve_usd": _amount(0, 1000),
            "minutes_saved_per_task": _amount(0, 1e6),
        }
    ),
}
_PROJECT: dict[str, Callable[[str, Any], Any]] = {
    "policy": _table({"rules": _overrides}),
    "rule": _as_is,
    "approvals": _table({"required": _REQUIRED}),
    "pace": _table(_PACE),
    "leases": _table({"on_conflict": _one_of("deny", "ask", "warn")}),
    "budgets": _table({"limit": _several(_BUDGET)}),
}
