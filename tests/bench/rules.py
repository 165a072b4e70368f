"""What the rules cost: a command read and held against all of them, many rules against few, and loading them.

The commands are those of tests/cases, in a project that is there: a path that is not costs fewer system calls. Each is
judged as a new event; nothing that is kept between two events knows a whole command.
"""

from __future__ import annotations

import gc
import os
import tomllib
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from tests.bench.report import Row
from tests.support import homes

from levaithan.hot import policy, policy_cache, policy_pack
from levaithan.hot.event import Event
from levaithan.hot.paths import home_at

CASES = Path(__file__).resolve().parents[1] / "cases"
_P99_US = 50.0
_FLAT = 10.0
_LOAD_MS = 20.0
_MANY, _FEW = 10_000, 10


def measure(folder: str, rounds: int) -> list[Row]:
    """The three rows. `folder` is where the home is made."""
    root = homes.make_home(os.path.join(folder, "rules"), native=False)
    home = home_at(root)
    loaded = policy.load(home)
    lines, project = _lines(), _project(folder)
    everything = [*lines["allow"], *lines["held"]]
    free, quickest = _took(loaded, lines["allow"], project, rounds)
    every, _ = _took(loaded, everything, project, rounds)
    return [_command_row(free, quickest, every), _flat_row(rounds, lines["allow"], project), _load_row(root, rounds)]


def _project(folder: str) -> str:
    """A folder with what commands speak of."""
    root = Path(folder) / "project"
    for name in (".git/HEAD", ".git/hooks/pre-commit", ".claude/settings.json", ".env", ".env.example", "src/a.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("", encoding="utf-8")
    for name in ("a.txt", "a.json", "Makefile", "package.json", "build/a.o", "docs/a.md"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("{}" if name.endswith(".json") else "", encoding="utf-8")
    return str(root.resolve())


def _lines() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"allow": [], "held": []}
    for path in sorted(CASES.glob("*.toml")):
        if path.stem != "tools":
            cases = tomllib.loads(path.read_text(encoding="utf-8"))
            found["allow"] += cases.get("allow", [])
            found["held"] += cases.get("deny", []) + cases.get("bypass", [])
    return found


def _event(line: str, project: str) -> Event:
    payload = {"tool_name": "Bash", "tool_input": {"command": line}, "cwd": project}
    event = Event("", "PreToolUse", payload)
    event.project = project
    return event


def _took(rules: policy.Policy, lines: list[str], project: str, rounds: int) -> tuple[list[float], list[float]]:
    """Microseconds a command, sorted: of each in each round, and of each in its quickest one.

    Every round judges all of them, an event of its own every time; what else the machine does is in the former alone.
    """
    for line in lines:
        rules.judge(_event(line, project))
    gc.collect()
    took: list[list[float]] = [[] for _ in lines]
    for _ in range(max(3, rounds // 20)):
        for line, times in zip(lines, took, strict=True):
            event = _event(line, project)
            began = perf_counter()
            rules.judge(event)
            times.append((perf_counter() - began) * 1e6)
    return sorted(one for times in took for one in times), sorted(map(min, took))


def _at(took: list[float], part: float) -> float:
    return took[min(int(len(took) * part), len(took) - 1)]


def _command_row(free: list[float], quickest: list[float], every: list[float]) -> Row:
    what = "a fresh command read and held against all rules, p99"
    how = (
        f"harmless ones: p50 {_at(free, 0.5):.0f}, p90 {_at(free, 0.9):.0f} us, p99 of each one's quickest round "
        f"{_at(quickest, 0.99):.0f}; with the ones that are held: p50 {_at(every, 0.5):.0f}, p99 "
        f"{_at(every, 0.99):.0f} us; N={len(free)} and {len(every)}"
    )
    return Row(what, f"{_P99_US:.0f} us", f"{_at(free, 0.99):.0f} us", _at(free, 0.99) <= _P99_US, how)


def _flat_row(rounds: int, lines: list[str], project: str) -> Row:
    few, many = (
        median(_took(policy_pack.stage(_made(count)), lines[:100], project, rounds)[0]) for count in (_FEW, _MANY)
    )
    how = f"median {few:.1f} us with {_FEW}, {many:.1f} us with {_MANY:,}"
    return Row("10,000 rules over 10", f"{_FLAT:.0f}x", f"{many / few:.2f}x", many <= _FLAT * few, how)


def _made(count: int) -> list[dict[str, Any]]:
    """Rules on as many subcommands of programs, some of them of programs that the lines run."""
    names = ("git", "docker", "tool", "kubectl", "npm")
    rule = {
        "severity": "low",
        "effect": "deny",
        "mode": "enforce",
        "reason": "r",
        "instead": "i",
        "tools": [],
        "to": ["any"],
    }
    rule |= {"recursive": False, "subcommands": [], "does": ["run"]}
    return [
        {**rule, "id": f"r.{n}", "runs": [f"{names[n % 5]}{n if n % 50 else ''} verb{n} --flag{n}|-f !--dry-run"]}
        for n in range(count)
    ]


def _load_row(root: str, rounds: int) -> Row:
    home = home_at(root)
    took = []
    for _ in range(max(5, rounds // 10)):
        began = perf_counter()
        rules, problems = policy_cache.rules(home.context + "/policies", home.state + "/cache")
        policy.Policy(home, policy.hotconf.read(home.hot_conf), rules, problems)
        took.append((perf_counter() - began) * 1e3)
    got = median(took)
    return Row(
        "compiled rules loaded",
        f"{_LOAD_MS:.0f} ms",
        f"{got:.1f} ms",
        got <= _LOAD_MS,
        f"from the cache, N={len(took)}",
    )
