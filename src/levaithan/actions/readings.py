"""How things are, in numbers: what actions verify by and what recovery waits for. psutil is loaded when it is asked.

What is measured elsewhere (GATE_P99, by the monitor's own figures) is added by whoever has it.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from levaithan.projector import status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from levaithan.hot.paths import Home

MEMORY_USED = "memory_used_ratio"
LOAD = "load_per_cpu"
LAG = "lag_seconds"
LAG_OF = "lag_seconds:"
GATE_P99 = "gate_p99_seconds"
DISK = "disk_short_ratio"
OBJECTIVES: Mapping[str, float] = {MEMORY_USED: 0.85, LOAD: 2.0, LAG: 60.0, GATE_P99: 0.1, DISK: 1.0}
"""Reading -> up to which it is within the objective. LAG is that of the store that is furthest behind; DISK is the room
that should be free where the home is (15% of it, at least 200 MB) over the room that is."""
ALWAYS = frozenset((MEMORY_USED, LOAD, LAG))
OF_ALERTS = {"Disk": DISK, "Hooks": GATE_P99, "LatencyBurn": GATE_P99}
"""How alerts begin whose trouble a reading shows that counts for them alone: many a disk is nearly full for good, and
hooks may be as slow as their machine."""
_FREE_RATIO, _FREE_BYTES = 0.15, 200e6
HYSTERESIS = 0.2
"""What went off comes on again when every reading is this share below its objective."""


def look(home: Home) -> dict[str, float]:
    """The readings of this machine and this home's projector. Never raises for what is not there."""
    found = {LOAD: os.getloadavg()[0] / max(1, os.cpu_count() or 1), MEMORY_USED: memory_used()}
    lags = [0.0]
    for name, store in ((status.read(home) or {}).get("stores") or {}).items():
        lag = store.get("lag_seconds") if isinstance(store, dict) and not store.get("held") else None
        if isinstance(lag, (int, float)):
            found[LAG_OF + str(name)] = float(lag)
            lags.append(float(lag))
    found[LAG] = max(lags)
    with contextlib.suppress(OSError):
        disk = os.statvfs(home.root)
        wanted = max(_FREE_RATIO * disk.f_blocks * disk.f_frsize, _FREE_BYTES)
        found[DISK] = wanted / max(1.0, float(disk.f_bavail * disk.f_frsize))
    return found


def memory_used() -> float:
    """The share of this machine's memory that is in use, 0 to 1."""
    import psutil  # noqa: PLC0415 - a command that lists must not load it

    memory = psutil.virtual_memory()
    return 1.0 - float(memory.available) / float(memory.total)


def of_alert(alert: str) -> frozenset[str]:
    """The readings that show the trouble of an alert ("" = any), and that nothing else has become one."""
    return ALWAYS | {reading for begin, reading in OF_ALERTS.items() if alert.startswith(begin)}


def outside(found: Mapping[str, float], *, margin: float = 0.0, of: Collection[str] = ALWAYS) -> list[str]:
    """The readings of `found`, of those in `of`, that are not within their objectives, `margin` (a share) below them;
    [] when all are."""
    return [name for name, most in OBJECTIVES.items() if name in of and found.get(name, 0.0) > most * (1.0 - margin)]
