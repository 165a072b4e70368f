"""Asks the service of a home something; apart from the command line's way of asking, which prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from levaithan.hot import wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.hot.paths import Home


def service(home: Home, operation: str, timeout_s: float, more: Mapping[str, str]) -> dict[str, Any] | None:
    """What the service answers to a control operation; None when there is no service or no answer in time."""
    head = {"id": wire.new_event_id(), "op": operation, "timeout_ms": str(int(timeout_s * 1000)), **more}
    try:
        code, answer, _words = wire.request(home.socket, wire.pack_request(head, b""), timeout_s + 0.5)
        told = json.loads(answer)
    except (OSError, wire.WireError, ValueError):
        return None
    return told | {"ok": told.get("ok", code == 0)} if isinstance(told, dict) else None
