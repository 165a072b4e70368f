"""A secret stood in what a tool gave back: the agent has read it, whatever was taken out of the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.detectors.hits import Hits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.detectors.rules import Rules

ALERT = "SecretInOutput"
HOLD_S = 900.0
_BUILT_IN = frozenset(("Bash", "Read", "Grep", "Glob", "WebFetch", "WebSearch", "Agent", "Task", "BashOutput"))


def detector(rules: Rules) -> Hits | None:
    """Watches the outputs of tools; None when that alert is switched off."""
    rule = rules.get(ALERT)
    return Hits("secret_seen", rule, seen, HOLD_S) if rule is not None and not rule.off else None


def seen(record: Mapping[str, Any]) -> str | None:
    """Whose output it was; names of tools that an agent can invent are not repeated."""
    if record.get("event") not in ("PostToolUse", "PostToolUseFailure"):
        return None
    if not any(one.get("rule") == "secrets.in-output" for one in record.get("hooks") or ()):
        return None
    tool = record.get("tool_name")
    return f"the output of {tool if tool in _BUILT_IN else 'a tool'}"
