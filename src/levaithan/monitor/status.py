"""What the monitor tells about itself: run/monitor.json, replaced whole at each look; failures also go to stderr, which
the service keeps in its log.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.install.monitoring import path_of

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.monitor.parts import Parts

VERSION = 1
_AGAIN_S = 300.0


class Status:
    """Writes the status of `parts`."""

    def __init__(self, home: Home, parts: Parts) -> None:
        self.home = home
        self.parts = parts
        self.started = _now()
        self.failures: dict[str, dict[str, Any]] = {}

    def failed(self, what: str, error: Exception) -> None:
        """`what` did not work. Said when it begins and every five minutes; it is tried again at the next look."""
        words = f"{type(error).__name__}: {error}"[:1000]
        known = self.failures.get(what)
        if known and known["error"] == words and time.monotonic() - known["said"] < _AGAIN_S:
            known["times"] += 1
            return
        since, times = (known["since"], known["times"] + 1) if known else (_now(), 1)
        self.failures[what] = {"error": words, "since": since, "times": times, "said": time.monotonic()}
        sys.stderr.write(f"{what}: {words}\n")
        sys.stderr.flush()

    def well(self, what: str) -> None:
        """`what` works (again)."""
        self.failures.pop(what, None)

    def write(self, doing: str) -> None:
        """Write the file. A full disk is no reason to stop: then only its time is set, for the service takes a monitor
        whose file grows old for one that hangs."""
        path = path_of(self.home)
        fresh = path.with_name(f".monitor.json.{os.getpid()}")
        told = {"version": VERSION, "pid": os.getpid(), "started": self.started, "updated": _now(), "doing": doing}
        told["every_s"] = self.parts.settings.monitor_interval_s
        failures = {what: {k: v for k, v in one.items() if k != "said"} for what, one in self.failures.items()}
        body = orjson.dumps(told | self.parts.tell() | {"failures": failures}, default=str)
        try:
            fresh.write_bytes(body)
            fresh.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                os.utime(path)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
