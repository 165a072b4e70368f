"""What other rules would have said of what was recorded: each call and prompt again, by the code that the hook runs.

What only the moment knew is as it is now: links, and the scripts that a command ran. Redacted values stay redacted.
Reads no journal itself: records come in, rows go out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.hot import hotconf
from levaithan.hot.event import Event
from levaithan.hot.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from levaithan.hot.paths import Home

JUDGED = ("PreToolUse", "PermissionRequest", "UserPromptSubmit")
_STRENGTH = {"allow": 0, "ask": 1, "deny": 2, "halt": 3}


class Totals:
    """How many events were looked at, would be held more strictly, less strictly, and how many by another rule."""

    __slots__ = ("another_rule", "events", "looser", "stricter")

    def __init__(self) -> None:
        self.events = self.stricter = self.looser = self.another_rule = 0


def changes(
    records: Iterable[dict[str, Any]], home: Home, rules: list[dict[str, Any]], totals: Totals
) -> Iterator[dict[str, Any]]:
    """A row for each event whose decision or rule would be another under `rules`; `totals` is counted along.

    A row: at, id, session_id, tool_name, was, was_rule, now, now_rule, reason. Events that another hook than the rules
    decided (a halt, a budget, a person's approval) are left out: rules would not have been asked, or not alone.
    """
    policy = Policy(home, hotconf.read(home.hot_conf), rules, [])
    for record in records:
        payload = record.get("payload")
        if record.get("event") not in JUDGED or not isinstance(payload, dict) or record.get("canary"):
            continue
        was = record.get("decision", "allow")
        if record.get("hook") == "approval_reserve" or (was != "allow" and record.get("hook") != "policy_check"):
            continue
        totals.events += 1
        row = _change(record, payload, policy, was)
        if row is not None:
            totals.stricter += _STRENGTH[row["now"]] > _STRENGTH.get(was, 0)
            totals.looser += _STRENGTH[row["now"]] < _STRENGTH.get(was, 0)
            totals.another_rule += row["now"] == was
            yield row


def _change(record: dict[str, Any], payload: dict[str, Any], policy: Policy, was: str) -> dict[str, Any] | None:
    event = Event(str(record.get("id")), str(record["event"]), payload)
    event.project = record.get("project") or record.get("cwd")
    said = policy.judge(event)
    now = said.verdict if said else "allow"
    now_rule = said.rule if said and now != "allow" else None
    was_rule = record.get("rule") if was != "allow" else None
    if (now, now_rule) == (was, was_rule):
        return None
    kept = ("at", "id", "session_id", "tool_name")
    return {name: record.get(name) for name in kept} | {
        "was": was,
        "was_rule": was_rule,
        "now": now,
        "now_rule": now_rule,
        "reason": said.reason if said else record.get("reason"),
    }
