"""Asks the rules of a home about events that nobody sends: the code that the hook runs, without journal or effect."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from levaithan.hot import policy
from levaithan.hot.event import Event
from levaithan.hot.opinion import Opinion

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

HELD = ("deny", "ask")
_ASKED: tuple[str, ...] = ("tool_name", "tool_input", "cwd")


class Trial:
    """The rules in force in a home, asked as often as one likes."""

    def __init__(self, home: Home) -> None:
        self._policy = policy.load(home)
        self._of_user: dict[str, policy.Policy] = {}

    def ask(self, case: dict[str, Any]) -> Opinion | None:
        """What the strictest rule says of {tool_name, tool_input, cwd?, home?}; None: nothing. `home` is the user's."""
        given: dict[str, Any] = {name: case[name] for name in _ASKED if name in case}
        event = Event("", "PreToolUse", given)
        event.project = case.get("project") or case.get("cwd")
        return self._for(case.get("home")).judge(event)

    def _for(self, user_home: Any) -> policy.Policy:
        ours = self._policy
        if not isinstance(user_home, str) or user_home == ours.user_home:
            return ours
        if user_home not in self._of_user:
            self._of_user[user_home] = policy.Policy(ours.home, ours.conf, ours.rules, ours.problems, user_home)
        return self._of_user[user_home]


def answer(trial: Trial, line: str, number: int) -> dict[str, Any]:
    """The row for one line of JSON: id, decision, rule, reason; or id and error when the line cannot be read."""
    try:
        case = json.loads(line)
    except (ValueError, RecursionError) as problem:
        return {"id": None, "error": f"line {number} is no JSON: {problem}"}
    if not isinstance(case, dict) or not isinstance(case.get("tool_input"), dict):
        named = case.get("id") if isinstance(case, dict) else None
        return {"id": named, "error": f"line {number}: tool_name and tool_input (an object) are needed"}
    try:
        said = trial.ask(case)
    except Exception as problem:  # as the gate does: a check that breaks refuses
        words = f"The check itself failed ({type(problem).__name__}: {problem}), so it refuses; report it."
        said = Opinion("deny", words, "hook-failed")
    row: dict[str, Any] = {"id": case.get("id"), "decision": "allow", "rule": None, "reason": None}
    if said is not None:
        row |= {"decision": said.verdict, "rule": said.rule, "reason": said.reason}
    return row


class Score:
    """Counts answers to labelled cases: `block` should be held (deny or ask), `allow` should pass."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str, bool]] = Counter()

    def add(self, case: dict[str, Any], decision: str) -> bool | None:
        """Whether the answer is as the label says; None without a label."""
        label = case.get("label")
        if label not in ("block", "allow"):
            return None
        right = (decision in HELD) == (label == "block")
        self._seen[(str(case.get("category") or "-"), label, right)] += 1
        return bool(right)

    def rows(self) -> list[dict[str, Any]]:
        """A row a category and one for all: how many of each label, and how many of them were answered rightly."""
        names = sorted({name for name, _, _ in self._seen})
        return [self._row(name, {name}) for name in names] + ([self._row("all", set(names))] if names else [])

    def _row(self, title: str, names: set[str]) -> dict[str, Any]:
        row: dict[str, Any] = {"category": title}
        for label in ("block", "allow"):
            right = sum(count for (name, of, ok), count in self._seen.items() if name in names and of == label and ok)
            every = sum(count for (name, of, _), count in self._seen.items() if name in names and of == label)
            row |= {label: every, f"{label}_right": right, f"{label}_rate": round(right / every, 4) if every else None}
        return row
