"""Compiles rule packs (TOML) and tests every rule on its own examples; what is wrong is refused with file and line.

Runs when a pack has changed, not on every event. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.deed import KINDS
from levaithan.hot.event import Event
from levaithan.hot.hotconf import HotConf
from levaithan.hot.paths import Home
from levaithan.hot.policy import PLACES, Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SEVERITIES = ("low", "medium", "high", "critical")
EFFECTS = ("deny", "ask", "warn")
MODES = ("enforce", "shadow")
STAGE = {
    "home": "/opt/levaithan/.claude",
    "src": "/opt/levaithan/src",
    "project": "/home/dev/demo",
    "user": "/home/dev",
}
"""The installation that examples speak of: {home}, {src}, {project} and {user} in them."""

_KEYS: dict[str, tuple[Any, ...]] = {
    "id": (str,),
    "severity": SEVERITIES,
    "effect": EFFECTS,
    "mode": MODES,
    "reason": (str,),
    "instead": (str,),
    "tools": (list,),
    "does": (list,),
    "recursive": (bool,),
    "to": (list,),
    "subcommands": (list,),
    "runs": (list,),
    "examples": (dict,),
}
_DEFAULTS: dict[str, Any] = {
    "mode": "enforce",
    "tools": [],
    "recursive": False,
    "to": ["any"],
    "subcommands": [],
    "runs": [],
}
_NEEDED = ("id", "severity", "effect", "reason", "instead", "does", "examples")


class PackError(Exception):
    """A pack is refused; the message has file, line and reason."""


def compile_packs(packs: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    """The rules of the packs (path, content), in order, each tested. Raises PackError."""
    rules: list[dict[str, Any]] = []
    seen: dict[str, str] = {}
    for path, data in packs:
        rules += compile_tables(path, *_parse(path, data), seen)
    return rules


def compile_tables(path: str, text: str, tables: list[Any], seen: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """The rules of one pack, `tables` of the TOML in `text`, each tested. `seen`: the file of every rule id there is
    already, added to. Raises PackError."""
    seen, rules = {} if seen is None else seen, []
    for number, table in enumerate(tables):
        where = f"{path}:{_line(text, number)}"
        rule = _rule(where, table)
        if rule["id"] in seen:
            raise PackError(f"{where}: the rule {rule['id']} stands in {seen[rule['id']]} already; rename one")
        seen[rule["id"]] = path
        _try_examples(where, rule, table.get("examples", {}))
        rules.append({**rule, "pack": path.rpartition("/")[2].removesuffix(".toml")})
    return rules


def _parse(path: str, data: bytes) -> tuple[str, list[Any]]:
    import tomllib

    try:
        text = data.decode("utf-8")
        value = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise PackError(f"{path}:{data[: error.start].count(10) + 1}: not UTF-8") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and what numbers and nesting out of bounds raise
        message = str(error)
        line = (
            message.rpartition("at line ")[2].partition(",")[0] if "at line " in message else str(text.count("\n") + 1)
        )
        raise PackError(f"{path}:{line}: {message.partition(' (at ')[0]}") from None
    unknown = sorted(set(value) - {"rule", "pack"})
    if unknown:
        raise PackError(f"{path}:1: unknown table {unknown[0]!r}; a pack holds [pack] and [[rule]]")
    tables = value.get("rule", [])
    if not isinstance(tables, list) or not tables:
        raise PackError(f"{path}:1: no [[rule]] in it")
    _whole(path, value.get("pack", {}), len(tables))
    return text, tables


def _whole(path: str, pack: Any, found: int) -> None:
    """A file that was cut off between two rules is TOML as well: a pack may say how many it has."""
    wanted = pack.get("rules", found) if isinstance(pack, dict) else None
    if type(wanted) is not int:
        raise PackError(f"{path}:1: [pack] is a table, and its `rules` the number of [[rule]] in the file")
    if wanted != found:
        raise PackError(
            f"{path}:1: [pack] says that there are {wanted} rules, and there are {found}, as if the file had been cut "
            "off; put the others back, or correct `rules`"
        )


def _line(text: str, number: int) -> int:
    """The line of the rule with this number."""
    for line, content in enumerate(text.split("\n"), 1):
        if content.strip().startswith("[[rule]]"):
            if number == 0:
                return line
            number -= 1
    return 1


def _rule(where: str, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise PackError(f"{where}: a rule is a table")
    _check_keys(where, table)
    if table.get("runs"):
        table.setdefault("does", ["run"])
    for key in _NEEDED:
        if not table.get(key) and not (key == "examples" and "unregister" in table.get("does", ())):
            raise PackError(f"{where}: {key} is missing")
    _check_list(where, "does", table["does"], sorted(KINDS))
    _check_list(where, "to", table.get("to", ["any"]), list(PLACES))
    for key in ("tools", "subcommands", "runs"):
        _check_list(where, key, table.get(key, []), None)
    if "switch" in table["does"] and not table.get("subcommands"):
        raise PackError(f"{where}: a rule on `switch` needs subcommands")
    if ("run" in table["does"]) != bool(table.get("runs")):
        raise PackError(f"{where}: a rule on `run` needs `runs`, and no other has them")
    return {key: table.get(key, _DEFAULTS.get(key)) for key in _KEYS if key != "examples"}


def _check_keys(where: str, table: dict[str, Any]) -> None:
    for key, value in table.items():
        allowed = _KEYS.get(key)
        if allowed is None:
            raise PackError(f"{where}: unknown key {key!r}; known are {', '.join(_KEYS)}")
        fits = isinstance(value, allowed[0]) if isinstance(allowed[0], type) else value in allowed
        if not fits:
            wanted = allowed[0].__name__ if isinstance(allowed[0], type) else ", ".join(allowed)
            raise PackError(f"{where}: {key} is {value!r}, expected {wanted}")


def _check_list(where: str, key: str, values: list[Any], allowed: list[str] | None) -> None:
    for value in values:
        if not isinstance(value, str) or (allowed is not None and value not in allowed):
            wanted = ", ".join(allowed) if allowed else "texts"
            raise PackError(f"{where}: {value!r} in {key}; known are {wanted}")


def _try_examples(where: str, rule: dict[str, Any], examples: dict[str, Any]) -> None:
    """A rule must hold up its `deny` examples and let its `allow` examples pass, by the code that the hook runs."""
    unknown = sorted(set(examples) - {"deny", "allow"})
    if unknown:
        raise PackError(f"{where}: unknown examples {unknown[0]!r}; there are deny and allow")
    policy = stage([{**rule, "mode": "enforce"}])
    for wanted in ("deny", "allow"):
        given = examples.get(wanted, [])
        if not isinstance(given, list):
            raise PackError(f"{where}: the {wanted} examples of {rule['id']} are a list, not {given!r}")
        if not given and "unregister" not in rule["does"]:
            raise PackError(f"{where}: rule {rule['id']} has no {wanted} example")
        for example in given:
            hit = policy.judge(example_event(where, example)) is not None
            if hit != (wanted == "deny"):
                did = "lets it pass" if wanted == "deny" else "holds it up"
                raise PackError(f"{where}: rule {rule['id']} {did}, which its {wanted} example forbids: {example!r}")


def stage(rules: list[dict[str, Any]]) -> Policy:
    """A policy of `rules` over the installation that examples speak of."""
    conf = HotConf({"src": STAGE["src"]})
    return Policy(Home(STAGE["home"]), conf, rules, [], STAGE["user"])


def example_event(where: str, example: Any) -> Event:
    """The event of an example: a command line, {tool, input, cwd?}, or {event, input} of another. Raises PackError."""
    if isinstance(example, str):
        example = {"tool": "Bash", "input": {"command": example}}
    if not isinstance(example, dict) or not isinstance(example.get("input"), dict):
        raise PackError(f"{where}: an example is a command line or {{tool = ..., input = {{...}}}}, not {example!r}")
    given = {key: _staged(value) for key, value in example["input"].items()}
    cwd = _staged(example.get("cwd", STAGE["project"]))
    payload = {"tool_name": example.get("tool", "Bash"), "tool_input": given, "cwd": cwd}
    if "event" in example:
        payload = {**given, "cwd": cwd}
    event = Event("", example.get("event", "PreToolUse"), payload)
    event.project = STAGE["project"]
    return event


def _staged(value: Any) -> Any:
    if isinstance(value, str):
        for name, path in STAGE.items():
            value = value.replace("{" + name + "}", path)
    return value
