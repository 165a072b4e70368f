"""A store that is held: why, until when, and which command lets it go; for whoever tells people of stores."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from levaithan.hot import modes
from levaithan.stores import address

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

BACK = "levaithan mode set normal --reason TEXT (what went off by itself comes back by itself)"


@dataclass(frozen=True, slots=True)
class Held:
    """why: in words, until when in them where that is known; remedy: the command that lets it go; circuit: its broken
    circuit ({until, reason, by, where}), None where the mode holds it."""

    why: str
    remedy: str
    circuit: dict[str, Any] | None


def of(home: Home, store: Any) -> Held | None:
    """What holds the store (an opened one) now, None for nothing. Never raises."""
    where = address.of(store)
    why = modes.held(home, store.name, remote=store.remote, where=where)
    if not why:
        return None
    circuit = modes.circuit(home, store.name, where)
    return Held(why, _release(circuit) if circuit else BACK, circuit)


def _release(circuit: dict[str, Any]) -> str:
    run = re.search(r"\((a-\w+)\)", str(circuit.get("by", "")))
    at_once = f", at once by `levaithan action undo {run[1]}`" if run else ""
    return f"mend the store: it is tried again when the circuit closes (`levaithan action list`){at_once}"
