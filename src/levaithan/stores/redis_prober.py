"""A connection that is ready or not there: it is made, and made again, by a thread in the background, so that whoever
decides while Claude Code waits never waits for a name to be resolved, a connection, a handshake or a login.

A circuit breaker (Nygard, Release It!) that opens at the first failure and is probed off the path.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from levaithan.stores import redis_link
from levaithan.stores.redis_lua import SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.stores.opening import Opening

AGAIN_S = 0.5
PROBE_S = 1.0
_IDLE_S = 3600.0


class Prober(threading.Thread):
    """`client` is a client whose scripts the server has, or None. `timeout_s`: of each of its waits. `ready`: that
    there was one once.

    `on_ready` is called in this thread each time that there is one again.
    """

    def __init__(self, opening: Opening, timeout_s: float, on_ready: Callable[[], None] | None = None) -> None:
        super().__init__(name="counters-prober", daemon=True)
        self.client: Any = None
        self.ready = threading.Event()
        self.trips = 0
        self.why = "not connected yet"
        self.paused = ""
        self._opening = opening
        self._timeout_s = timeout_s
        self._on_ready = on_ready
        self._wake = threading.Event()
        self._over = threading.Event()
        self._dropped: list[Any] = []

    def log_in(self, opening: Opening) -> None:
        """The next connection is made as another user."""
        self._opening = opening

    def drop(self, client: Any, why: str) -> None:
        """This client failed: nobody uses it any more, another one is made in the background. Costs nothing."""
        if client is not None and client is self.client:
            self.client = None
            self.why = why
            self.trips += 1
            self._dropped.append(client)
        self._wake.set()

    def pause(self, why: str) -> None:
        """Have no connection for as long as there is a reason; "" = go on."""
        if why != self.paused:
            self.paused = why
            self.drop(self.client, why)

    def run(self) -> None:
        """The thread."""
        while not self._over.is_set():
            if self.paused:
                self.drop(self.client, self.paused)
                self.why = self.paused
            while self._dropped:
                _close(self._dropped.pop())
            if self.client is None and (self.paused or not self._connect()):
                self._over.wait(AGAIN_S)
                continue
            self._wake.wait(_IDLE_S)
            self._wake.clear()
        _close(self.client)
        self.client = None

    def stop(self, wait_s: float = 2.0) -> None:
        """End, and let go of the connection."""
        self._over.set()
        self._wake.set()
        if self.is_alive():
            self.join(wait_s)

    def _connect(self) -> bool:
        made: Any = None
        try:
            made = redis_link.client(self._opening, PROBE_S, single=True)
            for script in SCRIPTS:
                made.script_load(script)
            connection = made.connection
            connection.socket_timeout = self._timeout_s
            connection._sock.settimeout(self._timeout_s)  # the driver has no other way once it is connected
        except Exception as error:
            self.why = f"{type(error).__name__}: {error}"[:300]
            _close(made)
            return False
        self.client = made
        self.ready.set()
        if self._on_ready is not None:
            with contextlib.suppress(Exception):  # its own affair; what is shared is said again every few seconds
                self._on_ready()
        return True


def _close(client: Any) -> None:
    with contextlib.suppress(Exception):
        if client is not None:
            client.close()
