"""The beat: a sign of life to a dead man's switch of the operator's, which alarms somebody when it stays away."""

from __future__ import annotations

import threading
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BEAT_S = 60.0
_LIMIT_S = 10.0


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
