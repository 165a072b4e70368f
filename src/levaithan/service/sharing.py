"""The service's part in deciding with other machines: it hands the gate what machines share, and keeps it true.

A thread of its own waits for news of halts, looks at this home's twenty times a second, and once a second says that it
lives and which leases are in force here. It may wait for a server as long as it likes: no hook waits for it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from levaithan.errors import LevaithanError
from levaithan.hot import modes
from levaithan.hot.halts import HaltError
from levaithan.hot.state_file import StateFile
from levaithan.service.shared_halts import SharedHalts
from levaithan.service.shared_state import SharedLeases, SharedSums
from levaithan.service.trouble import Trouble
from levaithan.service.whoami import Copies, Name
from levaithan.stores import relogin
from levaithan.stores.registry import adapter, opening_of
from levaithan.stores.roles import COUNTERS, StoreAuthError, StoreDownError

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.config.settings import Settings
    from levaithan.hot.gate import Gate
    from levaithan.hot.paths import Home
    from levaithan.stores.opening import Opening

LISTEN_S = 0.05
TURN_S = 1.0
SUMS_S = 5.0
AGAIN_S = 0.5
FIRST_S = 0.3
"""How long the service waits for the others before it answers its first hook; it does without them then."""
_LIMIT_S = 1.0
"""How long the server may take to answer this thread."""


class Sharing:
    """One service's. Nothing happens, and nothing is loaded, without LEVAITHAN_COUNTERS_URL."""

    def __init__(self, home: Home, settings: Settings, gate: Gate, say: Callable[..., None]) -> None:
        self._home = home
        self._settings = settings
        self._gate = gate
        self._say = say
        self._thread: _Sharer | None = None
        self._problem = ""

    def start(self) -> None:
        """Begin, where machines share. What is wrong with the settings is said, and this machine decides by itself."""
        if not self._settings.counters_url:
            return
        try:
            opening = opening_of(COUNTERS, self._settings, self._home)
            adapter(COUNTERS, opening.url.partition("://")[0])
            self._thread = _Sharer(self._home, self._settings, opening, self._gate.machine, self._say)
        except LevaithanError as error:
            self._problem = str(error)
            self._say("machines do not share", level="error", error=str(error), fix=error.fix)
            return
        self._gate.share(self._thread.decisions)
        self._thread.start()
        self._thread.decisions.prober.ready.wait(FIRST_S)

    def stop(self) -> None:
        """End; the gate decides by itself from now on."""
        self._gate.share(None)
        if self._thread is not None:
            self._thread.stop()

    def status(self) -> dict[str, Any] | None:
        """{answering, why, machines, node, trips, error, copy}: whether decisions are shared now, and where a
        copy of this home is in use; None where none should."""
        if self._thread is None:
            return {"answering": False, "why": "", "error": self._problem} if self._problem else None
        return self._thread.status()


class _Sharer(threading.Thread):
    def __init__(
        self, home: Home, settings: Settings, opening: Opening, machine: str, say: Callable[..., None]
    ) -> None:
        super().__init__(name="sharing", daemon=True)
        from levaithan.stores.redis_coordination import RedisCoordination  # noqa: PLC0415 - loads the driver
        from levaithan.stores.redis_decisions import RedisDecisions  # noqa: PLC0415

        self._say = say
        self._over = threading.Event()
        self._returned = threading.Event()
        self._home, self._opening = home, opening
        self._known = StateFile(home.state + "/shared.json")
        self._name = Name(home, machine, opening.journal, self._known)
        self._others = RedisCoordination(replace(opening, timeout_s=_LIMIT_S), self._name.node)
        self._copies = Copies(home, machine, self._others, say)
        self._halts = SharedHalts(home, self._others, say)
        self._leases = SharedLeases(home, self._others, say)
        self._sums = SharedSums(home, self._others, say)
        self._trouble, self._stuck = Trouble(), ""
        self._turned = self._summed = 0.0
        self._again = False
        self.decisions = RedisDecisions(
            opening, self._name.node, settings.counters_timeout_ms / 1000,
            lease_partition=settings.counters_lease_partition, on_ready=self._returned.set,
        )  # fmt: skip
        self.decisions.machines = max(1, int(self._known.look().get("machines", 1)))

    def run(self) -> None:
        with contextlib.suppress(LevaithanError, OSError, sqlite3.Error):  # it is tried again, and said, at each turn
            self._name.settle(self._sums)
        self.decisions.start()
        while not self._over.is_set():
            try:
                if self._look():
                    self._well()
            except (LevaithanError, OSError, sqlite3.Error) as error:
                self._failed(error)
            except Exception as error:  # a fault of ours must not end the emergency stop of all machines
                self._failed(error)
        self.decisions.stop()
        self._others.close()

    def stop(self, wait_s: float = 3.0) -> None:
        """End, waiting for what is under way."""
        self._over.set()
        self.join(wait_s)

    def status(self) -> dict[str, Any]:
        one = self.decisions
        answering = one.prober.client is not None
        return {
            "answering": answering, "why": "" if answering else one.prober.why, "machines": one.machines,
            "node": one.node, "trips": one.prober.trips, "error": self._trouble.words, "copy": self._copies.problem,
        }  # fmt: skip

    def _look(self) -> bool:
        """One turn: wait for news, then do what is due; whether that was everything, so that the server surely answers.
        Halts are told and taken in every mode."""
        off = modes.is_off(self._home, modes.SHARED_STATE)
        self.decisions.prober.pause(f"the mode is {modes.LOCAL_ONLY}: this machine decides by itself" if off else "")
        news, deaf = self._heard()
        due = time.monotonic() - self._turned >= TURN_S or self._returned.is_set()
        if due or (not self._stuck and (news or self._halts.changed())):
            self._sync()
        if due:
            self._turned = time.monotonic()
            self._copies.look()
            self._again = self._beat() or self._returned.is_set() or self._again
            self._returned.clear()
            self._leases.tell()
            self._name.settle(self._sums)  # behind what holds without it: sums may be out of reach
            if self._again or time.monotonic() - self._summed >= SUMS_S:
                self._summed = time.monotonic()
                self._sums.tell(again=self._again)
                self._again = False
        if deaf is not None:
            raise deaf
        return due

    def _heard(self) -> tuple[bool, StoreAuthError | None]:
        """(whether there is news of halts, why none can be heard). A user without the channel still looks each second:
        that is said, and the emergency stop is not left to it."""
        try:
            return self._others.listen(LISTEN_S), None
        except StoreAuthError as error:
            return False, error

    def _sync(self) -> None:
        """Halts, here and elsewhere. A file of this home that cannot be read or written is said, and tried each second;
        it holds everything here (hot.halts), and is no reason to be silent otherwise."""
        try:
            self._halts.sync()
            self._stuck = ""
        except (HaltError, OSError) as error:
            if str(error) != self._stuck:
                self._say("halts of other machines are not taken", level="error", error=str(error)[:1000])
            self._stuck = str(error)

    def _beat(self) -> bool:
        """Say that this service lives; whether the server had not heard of it, so that it must be told everything."""
        new, alive = self._others.beat()
        if len(alive) != self.decisions.machines:
            self.decisions.machines = max(1, len(alive))
            with contextlib.suppress(OSError):  # it is known until the service ends
                self._known.change(lambda kept: kept.update(machines=self.decisions.machines) or True)
        return new

    def _well(self) -> None:
        if self._trouble.is_over():
            self._say("machines share again", machines=self.decisions.machines)

    def _failed(self, error: Exception) -> None:
        words = str(error) if isinstance(error, LevaithanError) else f"{type(error).__name__}: {error}"
        kind = error.code if isinstance(error, LevaithanError) else type(error).__name__
        if self._trouble.is_news(kind, words):
            self._say("machines do not share", level="warning", error=words[:1000])
        if isinstance(error, StoreDownError):
            self.decisions.prober.drop(self.decisions.prober.client, words)
        elif isinstance(error, relogin.REFUSALS):
            self._log_in_anew()
        self._over.wait(AGAIN_S)

    def _log_in_anew(self) -> None:
        """The server refuses who asks: when the settings name another user or password by now, ask as that."""
        opening = relogin.settings_of_now(self._opening, self._home)
        if opening is not None:
            self._opening = opening
            self._others.log_in(replace(opening, timeout_s=_LIMIT_S))
            self.decisions.prober.log_in(opening)
            self._say("the shared counters' user or password was changed in the settings: logging in anew")
