"""Six quiet days and one on which something changed and went wrong: the records of a journal."""

from __future__ import annotations

from typing import Any

from tests.support.ledger_records import START_US, at, event

DAY = 86_400
START = 6 * DAY  # seconds after ledger_records.START
START_S = START_US / 1e6 + START


def records() -> list[dict[str, Any]]:
    """Six quiet days, a change in the morning, and from START on refusals by a new rule in one session."""
    found: list[dict[str, Any]] = []

    def add(seconds: float, name: str = "PreToolUse", **over: Any) -> None:
        found.append(event(0, name, at=at(seconds), **over))

    for number in range(600):
        tool = ("Bash", "Read", "Edit")[number % 3]
        denied = (
            {"decision": "deny", "rule": "old.rule", "reason": "no", "hook": "policy_check"} if number % 60 == 1 else {}
        )
        add(number * 840, tool_name=tool, session_id=f"old{number % 7}", project="/q", **denied)
    add(
        START - 7200,
        "ConfigChange",
        tool_name=None,
        call=None,
        payload={"source": "user_settings", "file_path": "/s.json"},
    )
    add(
        START - 7100,
        "SessionStart",
        tool_name=None,
        session_id="s9",
        payload={"model": "claude-new"},
        client_version="9.9.9",
    )
    add(START - 7000, "PreToolUse", tool_name="mcp__new__tool", session_id="s9", client_version="9.9.9")
    add(START - 50, "PreToolUse", tool_name="Edit", session_id="s9", payload={"tool_input": {"file_path": "/p/a.py"}})
    add(START - 49, "PostToolUse", tool_name="Edit", session_id="s9", payload={"tool_input": {"file_path": "/p/a.py"}})
    for number in range(60):
        add(
            START + number * 10, decision="deny", rule="new.rule", reason=f"no {number}", hook="policy_check",
            session_id="s9", client_version="9.9.9",
        )  # fmt: skip
    add(START + 400, "PreToolUse", decision="deny", rule="x", canary=True, session_id="canary")
    budget = {
        "v": 1,
        "kind": "budget",
        "at": at(START - 3600),
        "id": "b" * 32,
        "action": "set",
        "by": "ada",
        "budget": {},
    }
    before = {"v": 1, "kind": "incident", "at": at(DAY), "id": "c" * 32, "action": "open", "incident": "inc-before",
              "by": "monitor", "title": "Refusals in a burst", "text": "many refusals", "alert": "DenyBurst",
              "severity": "P2", "project": "/p"}  # fmt: skip
    ended = {"v": 1, "kind": "incident", "at": at(DAY + 3600), "id": "d" * 32, "action": "resolve",
             "incident": "inc-before",
             "by": "ada", "fix": "the rule was mended", "title": "Refusals in a burst", "text": "What ended it: mended",
             "verification": {"check": "detector", "result": "pass"}, "observed": "all is quiet"}  # fmt: skip
    taken = {**ended, "at": at(DAY + 1800), "id": "e" * 32, "action": "ack"}
    found += [budget, before, taken, ended]
    found.sort(key=lambda one: one["at"])
    return [
        {**one, "seq": number, **({"id": f"{number:032x}"} if one["kind"] == "event" else {})}
        for number, one in enumerate(found, 1)
    ]
