"""Where the figures go: to whoever scrapes, into a file for node_exporter, to an OpenTelemetry collector.

Each by its setting, none of them in the way of the others; an export that hangs has a thread of its own.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from levaithan.config.metrics_settings import OFF
from levaithan.errors import LevaithanError
from levaithan.metrics.exposition import CONTENT_TYPE
from levaithan.monitor.births import Births
from levaithan.monitor.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.metrics.watching import Watching
    from levaithan.monitor.listener import Answer


class Outward:
    """What leaves the monitor. address: where it listens, "" for nowhere; machine: whose figures they are."""

    def __init__(self, watching: Watching, settings: Any, machine: str) -> None:
        self.address = ""
        self._machine = machine
        self._watching = watching
        self._settings = settings
        self._listener: Listener | None = None
        self._births = Births()
        self._text: tuple[bytes, int] = (b"", 0)
        self._troubles: dict[str, str] = {}
        self._written = self._exported = float("-inf")
        self._exporting: threading.Thread | None = None

    def listen(self, take: Callable[[bytes], Answer], token: Callable[[], str]) -> None:
        """Answer scrapes and alerts, where the settings say. A port that is taken is told, and tried no more."""
        chosen = self._settings.metrics_listen
        if chosen == OFF:
            return
        host, _, port = chosen.rpartition(":")
        try:
            self._listener = Listener((host.strip("[]"), int(port)), self._fetch, take, token)
        except OSError as problem:
            self._troubles["listener"] = f"{chosen} cannot be listened on: {problem.strerror or problem}"
            return
        self._listener.start()
        self.address = f"{host}:{self._listener.server_address[1]}"

    def stop(self) -> None:
        """Listen no more."""
        if self._listener is not None:
            self._listener.stop()

    def send(self, now_s: float) -> None:
        """Make the text that scrapes get, and send what is due. To be called after each look."""
        self._watching.newborn = self._births.next(self._watching.tally.young(2))
        self._text = (self._watching.exposition(), self._births.number)
        settings, now = self._settings, time.monotonic()
        if settings.metrics_textfile and now - self._written >= settings.metrics_textfile_interval_s:
            self._written = now
            self._attempt("textfile", self._write)
        idle = self._exporting is None or not self._exporting.is_alive()
        if settings.otel_endpoint and idle and now - self._exported >= settings.otel_interval_s:
            self._exported = now
            self._export(now_s)

    def _fetch(self, by: str) -> tuple[bytes, str]:
        """In the listener's threads."""
        text, number = self._text
        self._births.fetched(number, by)
        return text, CONTENT_TYPE

    def troubles(self) -> dict[str, str]:
        """What does not work, in words."""
        return dict(self._troubles)

    def _write(self) -> None:
        from levaithan.metrics import textfile  # noqa: PLC0415 - only where it is set

        textfile.write(self._watching.tally, self._settings.metrics_textfile)

    def _export(self, now_s: float) -> None:
        """Take the figures here, and send them in a thread."""
        from levaithan.metrics.otel import Exporter  # noqa: PLC0415 - only where it is set

        try:
            exporter = Exporter(self._settings.otel_endpoint, self._machine)
            tally = self._watching.tally.copy()
        except LevaithanError as problem:
            self._troubles["otel"] = str(problem)
            return
        since_s = self._watching.since_s

        def work() -> None:
            with contextlib.closing(exporter):
                self._attempt("otel", lambda: exporter.send(tally, since_s, now_s))

        self._exporting = threading.Thread(target=work, name="otel", daemon=True)
        self._exporting.start()

    def _attempt(self, what: str, work: Callable[[], None]) -> None:
        try:
            work()
        except (LevaithanError, OSError) as problem:
            self._troubles[what] = str(problem)
        else:
            self._troubles.pop(what, None)
