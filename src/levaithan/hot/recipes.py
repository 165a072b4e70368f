"""The commands behind a goal of make or just, and behind a script of package.json. Standard library only.

No make: variables that are set plainly are filled in, everything else is unknown; the goals asked for are followed
through what they need.
"""

from __future__ import annotations

import re

from levaithan.hot.plain_json import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = (("GNUmakefile", "makefile", "Makefile"), ("justfile", "Justfile", ".justfile"))
"""Where make, and where just, look for recipes."""
_RULE = re.compile(r"([^\s#:=][^#:=\n]*):(?![:=])([^#\n]*)")
_SET = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*(?:[:?+]{0,2}=)\s*(.*)")
_USED = re.compile(r"\$[({]([A-Za-z_][A-Za-z0-9_.-]*)[)}]|\{\{\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\}\}|\$([@<^*?%])")
_MOST = 200
_SHORT = {"test": "test", "t": "test", "start": "start", "stop": "stop", "restart": "restart", "install": "install"}
_INSTALLS = ("preinstall", "install", "postinstall", "prepare")


def of(text: str, goals: list[str], given: dict[str, str]) -> str:
    """The command lines that `goals` (the first one, when none is named) run, with `given` variables; "" for none."""
    rules, variables = _read(text)
    variables.update(given)
    wanted = goals or [name for name in rules if not name.startswith(".")][:1]
    lines: list[str] = []
    seen: set[str] = set()
    todo = list(reversed(wanted))
    while todo and len(seen) < _MOST:
        goal = todo.pop()
        if goal in seen or goal not in rules:
            continue
        seen.add(goal)
        needs, recipe = rules[goal]
        lines += recipe
        todo += reversed(needs)
    return "\n".join(_filled(line, variables, 0) for line in lines)


def _read(text: str) -> tuple[dict[str, tuple[list[str], list[str]]], dict[str, str]]:
    """({goal: (what it needs, its lines)}, variables)."""
    rules: dict[str, tuple[list[str], list[str]]] = {}
    variables: dict[str, str] = {}
    current: list[tuple[list[str], list[str]]] = []
    for line in text.replace("\\\n", " ").split("\n"):
        if line[:1] in ("\t", " ") and line.strip():
            for _, recipe in current:
                recipe.append(line.strip().lstrip("@-+ "))
            continue
        found = _SET.fullmatch(line.strip())
        if found:
            variables[found[1]] = found[2].strip()
            continue
        rule = _RULE.match(line)
        if rule is None:
            if line.strip() and not line.startswith("#"):
                current = []
            continue
        needs, _, same_line = rule[2].partition(";")
        words = rule[1].split()
        goals = words if len(words) == 1 or "=" not in rule[1] else words[:1]
        current = [rules.setdefault(goal.lstrip("@"), ([], [])) for goal in goals[:50]]
        for known, recipe in current:
            known.extend(needs.split())
            recipe.extend([same_line.strip()] if same_line.strip() else [])
    return rules, variables


def _filled(line: str, variables: dict[str, str], depth: int) -> str:
    """`line` with what is known of its variables; what is not becomes a shell variable that nobody set."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name and name in variables and depth < 5:
            return _filled(variables[name], variables, depth + 1)
        return "${" + (name or "it").replace(".", "_").replace("-", "_") + "_unknown_}"

    return _USED.sub(value, line.replace("$$", "\x01")).replace("\x01", "$")


def package_scripts(text: str, program: str, words: list[str]) -> Iterator[tuple[str, str]]:
    """(name, command line) of each script that `program` (npm, pnpm, yarn, bun) runs when it is given `words`."""
    try:
        value = loads(text)
    except (ValueError, RecursionError):
        return
    scripts = value.get("scripts") if isinstance(value, dict) else None
    if not isinstance(scripts, dict):
        return
    plain = [word for word in words if word[:1] != "-"]
    if not plain:
        wanted = list(_INSTALLS) if program == "yarn" else []
    elif plain[0] in ("run", "run-script", "rum", "urn"):
        wanted = _around(plain[1]) if len(plain) > 1 else []
    elif plain[0] in ("install", "i", "ci", "add"):
        wanted = list(_INSTALLS)
    elif plain[0] in ("publish", "pack"):
        wanted = ["prepublishOnly", "prepack", "prepare", "postpack"]
    elif plain[0] in _SHORT or (program != "npm" and plain[0] in scripts):
        wanted = _around(_SHORT.get(plain[0], plain[0]))
    else:
        wanted = []
    given = " ".join(words[words.index("--") + 1 :]) if "--" in words else ""
    for name in wanted:
        line = scripts.get(name)
        if isinstance(line, str):
            yield name, f"{line} {given}" if given and not name.startswith(("pre", "post")) else line


def _around(name: str) -> list[str]:
    return [f"pre{name}", name, f"post{name}"]
