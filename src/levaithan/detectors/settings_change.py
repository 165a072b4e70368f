"""Claude Code's settings were changed while a session ran, by whomever: which file, and in whose session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.detectors.hits import Hits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.detectors.rules import Rules

ALERT = "SettingsChanged"
HOLD_S = 900.0
_SOURCES = {
    "user_settings": "the user's settings", "project_settings": "the project's settings",
    "local_settings": "the project's local settings", "policy_settings": "the managed settings",
}  # fmt: skip


def detector(rules: Rules) -> Hits | None:
    """Watches for ConfigChange events; None when that alert is switched off."""
    rule = rules.get(ALERT)
    return Hits("settings_change", rule, seen, HOLD_S) if rule is not None and not rule.off else None


def seen(record: Mapping[str, Any]) -> str | None:
    """Which settings, in our own words: the path is the agent's."""
    if record.get("event") != "ConfigChange":
        return None
    return _SOURCES.get(record["payload"].get("source"))
