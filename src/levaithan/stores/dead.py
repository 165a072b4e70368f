"""The columns of a dead letter, the same in every store. Standard library only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from levaithan.stores.roles import Rejected


def dead_letter_values(store: str, rejected: Rejected) -> dict[str, Any]:
    """The columns of a dead letter; its texts are made safe, for what is set aside may be set aside for its text."""
    one, now = rejected.delivery, time.time_ns() // 1000
    record = one.record or {}
    return {
        "store": store, "segment": one.segment, "offset": one.offset, "journal": one.journal,
        "seq": one.seq if 0 < one.seq < 1 << 63 else None,  # what SQLite can hold
        "id": _safe(record.get("id")), "tool_use_id": _safe(record.get("tool_use_id")),
        "reason": _safe(rejected.reason) or "unknown", "attempts": 1, "first_us": now, "last_us": now,
    }  # fmt: skip


def _safe(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return value.replace("\0", "\u2400").encode("utf-8", "replace").decode()[:500]
