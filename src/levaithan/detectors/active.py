"""An alert that waits or fires, at one place. Imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass

PENDING, FIRING = "pending", "firing"


@dataclass
class Active:
    """Times in milliseconds; keep_ms: since when its condition no longer holds, or -1."""

    since_ms: int
    value: float
    state: str = PENDING
    keep_ms: int = -1
