"""What the monitor tells about itself: run/monitor.json, replaced whole at each look; failures and troubles also go to
stderr, which the service keeps in its log.
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
        self._troubles: dict[str, tuple[str, float]] = {}

    def failed(self, what: str, error: Exception) -> None:
        """`what` did not work. Said when it begins and every five minutes; it is tried again at the next look."""
        words = f"{type(error).__name__}: {error}"[:1000]
        known = self.failures.get(what)
        if known and known["error"] == words and time.monotonic() - known["said"] < _AGAIN_S:
            known["times"] += 1
            return
        since, times = (known["since"], known["times"] + 1) if known else (_now(), 1)
        self.failures[what] = {"error": words, "since": since, "times": times, "said": time.monotonic()}
        _say(what, words)

    def well(self, what: str) -> None:
        """`what` works (again)."""
        self.failures.pop(what, None)

    def _log(self, troubles: dict[str, str]) -> None:
        """Say each when it begins, in other words after five minutes at the soonest, and when it is over."""
        now = time.monotonic()
        for what, words in troubles.items():
            before, said = self._troubles.get(what, ("", float("-inf")))
            if words != before and now - said >= _AGAIN_S:
                self._troubles[what] = (words, now)
                _say(what, words)
        for what in self._troubles.keys() - troubles.keys():
            del self._troubles[what]
            _say(what, "well again")

    def write(self, doing: str) -> None:
        """Write the file. A full disk is no reason to stop: then only its time is set, for the service takes a monitor
        whose file grows old for one that hangs."""
        path = path_of(self.home)
        fresh = path.with_name(f".monitor.json.{os.getpid()}")
        told = {"version": VERSION, "pid": os.getpid(), "started": self.started, "updated": _now(), "doing": doing}
        told["every_s"] = self.parts.settings.monitor_interval_s
        failures = {what: {k: v for k, v in one.items() if k != "said"} for what, one in self.failures.items()}
        seen = self.parts.tell()
        self._log(seen["troubles"])
        body = orjson.dumps(told | seen | {"failures": failures}, default=str)
        try:
            fresh.write_bytes(body)
            fresh.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                os.utime(path)


def _say(what: str, words: str) -> None:
    """A line for the service's log."""
    sys.stderr.write(f"{what}: {' '.join(words.split())[:1000]}\n")
    sys.stderr.flush()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
