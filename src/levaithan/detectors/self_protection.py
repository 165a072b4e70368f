"""An agent tried to change or to switch off the guard itself: one attempt is enough, and the session is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.detectors.hits import Hits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.detectors.rules import Rules

ALERT = "SelfProtectionHit"
RULES = ("self.", "guard.")
HOLD_S = 300.0


def detector(rules: Rules) -> Hits | None:
    """Watches for refusals by the rules that protect LevAIthan; None when that alert is switched off."""
    rule = rules.get(ALERT)
    return Hits("self_protection", rule, seen, HOLD_S) if rule is not None and not rule.off else None


def seen(record: Mapping[str, Any]) -> str | None:
    """The rule that held it up."""
    name = record.get("rule")
    held = record.get("decision") in ("ask", "deny", "halt")
    return f"rule {name}" if held and isinstance(name, str) and name.startswith(RULES) else None
