"""What Claude Code would make of a hook's exit code and output: the reading side of the contract, for probes.

Imports the standard library only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess


@dataclass(frozen=True, slots=True)
class Read:
    """verdict: deny, halt, ask, allow, or broken (the hook failed: onFailure decides); reason as it was given."""

    verdict: str
    reason: str

    @property
    def stops(self) -> bool:
        """Whether the call does not run because of the answer itself."""
        return self.verdict in ("deny", "halt", "ask")


def read(event: str, done: subprocess.CompletedProcess[bytes]) -> Read:
    """The meaning of what a hook for `event` did."""
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode == 2:
        return Read("deny", said)
    text = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode != 0:
        return Read("broken", f"exit code {done.returncode}" + (f": {said[:200]}" if said else ""))
    if not text.startswith("{"):
        return Read("allow", "")
    try:
        told: Any = json.loads(text)
    except ValueError:
        return Read("broken", "its answer is no JSON")
    return _told(event, told)


def _told(event: str, told: dict[str, Any]) -> Read:
    special = told.get("hookSpecificOutput")
    special = special if isinstance(special, dict) and special.get("hookEventName") == event else {}
    wish = special.get("decision")
    wish = wish.get("behavior") if isinstance(wish, dict) else special.get("permissionDecision")
    reason = str(special.get("permissionDecisionReason") or told.get("reason") or told.get("stopReason") or "")
    if told.get("continue") is False:
        return Read("halt", reason)
    if wish in ("deny", "ask") or told.get("decision") == "block":
        return Read("ask" if wish == "ask" else "deny", reason)
    return Read("allow", "")
