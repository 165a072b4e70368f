"""Whether the way from Prometheus over Alertmanager to here is alive: its Watchdog alert fires always, so its silence is
the alarm. And the other way round: a beat that this monitor sends to a dead man's switch of the operator's.
"""

from __future__ import annotations

import threading
import urllib.request
from typing import TYPE_CHECKING, Any

from levaithan.detectors.signal import WATCHDOG, Signal, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SILENT_S = 900.0
"""Alertmanager repeats the Watchdog every five minutes (deploy/alertmanager): three in a row were not heard."""
BEAT_S = 60.0
_LIMIT_S = 10.0


class Listening:
    """Hears the Watchdog. Once it was heard, a silence of SILENT_S is a signal; time is what the caller saw pass."""

    def __init__(self, heard: bool = False) -> None:
        self.expected = heard
        self.silent_s = 0.0
        self._said = False

    def hear(self, signals: Iterable[Signal]) -> None:
        """Take what Alertmanager sent."""
        for one in signals:
            if one.alert == WATCHDOG and one.source == "alertmanager":
                self.expected, self.silent_s = one.firing, 0.0

    def passed(self, seconds: float) -> None:
        """Let time pass."""
        self.silent_s += max(0.0, seconds)

    def signals(self, now_s: float) -> list[Signal]:
        """The alarm while it is silent; once more, resolved, when it is heard again."""
        silent = self.expected and self.silent_s >= SILENT_S
        if not silent and not self._said:
            return []
        self._said = silent
        return [
            Signal(
                fingerprint=fingerprint("meta", "WatchdogSilent"), alert="WatchdogSilent", detection="meta",
                severity="P1", firing=silent, started_s=now_s - self.silent_s if silent else now_s, at_s=now_s,
                value=round(self.silent_s, 1), threshold=SILENT_S, window_s=SILENT_S,
                expression="Alertmanager's Watchdog was heard before, and not for 15 minutes",
                summary="Prometheus or Alertmanager is silent: alerts that they see do not arrive here",
                fix="levaithan alerts list", runbook="docs/how-to/runbooks.md#watchdogsilent",
            )
        ]  # fmt: skip


class Beat:
    """Sends a GET to `url` every BEAT_S seconds while all is well: whoever listens there alarms when it stays away. In
    a thread of its own, one at a time. error: why the last one did not arrive, "" when it did."""

    def __init__(self, url: str | None, get: Callable[[str], Any] | None = None) -> None:
        self._url = url
        self._get = get or _get
        self._due_s = 0.0
        self._thread: threading.Thread | None = None
        self.error = ""

    def passed(self, seconds: float) -> None:
        """Let time pass; send when it is time."""
        self._due_s -= max(0.0, seconds)
        if not self._url or self._due_s > 0 or (self._thread is not None and self._thread.is_alive()):
            return
        self._due_s = BEAT_S
        self._thread = threading.Thread(target=self._send, args=(self._url,), name="beat", daemon=True)
        self._thread.start()

    def _send(self, url: str) -> None:
        try:
            self._get(url)
        except (OSError, ValueError) as error:  # urllib's and http's errors are OSError's; the URL itself is a secret
            self.error = type(error).__name__
        else:
            self.error = ""


def _get(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise ValueError("no http(s) URL")
    with urllib.request.urlopen(url, timeout=_LIMIT_S) as answer:  # noqa: S310 - its scheme was looked at
        answer.read(4096)
