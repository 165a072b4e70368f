"""The slow questions of incidents, in a thread beside the monitor's.

They are a draft for each that opens, what people did to ours on other machines, and which sessions touched the same
files.

The monitor's thread never waits for a store: it hands over and takes what is there by now. Bounded: one thread, and
drafts that wait are dropped from the oldest on, for `incident draft` makes them again at any time.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from levaithan.errors import LevaithanError
from levaithan.incidents import notes, ready
from levaithan.stores import registry
from levaithan.stores.roles import GRAPH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from levaithan.hot.paths import Home
    from levaithan.incidents.change import Change
    from levaithan.incidents.incident import Incident

EACH_S = 30.0
"""Seconds between two looks for what people did elsewhere."""
MOST_WAITING = 20
MOST_ALIKE = 10
LEAST_ALIKE = 0.2
_OPENED = ("opened", "reopened")


class Companion:
    """troubles: what kept the last draft from being made, the last look elsewhere, the last question to a graph on a
    server; "" where nothing did."""

    def __init__(self, home: Home, settings: Any) -> None:
        self.troubles = {"drafts": "", "elsewhere": "", "graph": ""}
        self._home, self._settings = home, settings
        self._wanted: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)
        self._asked: deque[tuple[str, str]] = deque(maxlen=MOST_WAITING)
        self._near: deque[tuple[str, set[str]]] = deque(maxlen=MOST_WAITING)
        self._remote = bool(str(registry.setting(settings, GRAPH, "url") or ""))
        self._found: deque[dict[str, Any]] = deque(maxlen=1_000)
        self._place: tuple[int, str, int] = (0, "", 0)
        self._wake, self._ends = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to work."""
        self._thread = threading.Thread(target=self._work, name="incidents", daemon=True)
        self._thread.start()

    def stop(self, wait_s: float = 5.0) -> None:
        """End after what is under way, or leave it behind after `wait_s`."""
        self._ends.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(wait_s)

    def hear(self, changes: Iterable[Change]) -> None:
        """Have a draft made for each incident that these changes opened, and its neighbours looked for where they are
        not at hand."""
        for change in changes:
            if change.kind in _OPENED and self._remote and change.incident.session_id:
                self._asked.append((change.incident.id, change.incident.session_id))
                self._wake.set()
            if change.kind in _OPENED and not change.incident.parent:
                self._wanted.append(change.incident.as_dict())
                self._wake.set()

    def make_up(self, incidents: Iterable[Incident]) -> None:
        """Have a draft made for each of `incidents` (the worst first) that has none: what was opened while no monitor
        ran, or before the last one came to it. Once, when the monitor begins."""
        asked = {one["id"] for one in self._wanted}
        missing = [
            one for one in incidents
            if not one.parent and one.id not in asked and not ready.there(self._home, one.id)
        ]  # fmt: skip
        self._wanted.extend(one.as_dict() for one in missing[:MOST_WAITING])
        self._wake.set()

    def told(self) -> list[dict[str, Any]]:
        """Records of what people did on other machines since the last call: for Engine.fold, once or again."""
        found = []
        while self._found:
            found.append(self._found.popleft())
        return found

    def near(self) -> list[tuple[str, set[str]]]:
        """(incident, sessions that touched the same files) that a graph on a server has said since the last call: for
        Engine.relate."""
        found = []
        while self._near:
            found.append(self._near.popleft())
        return found

    def alike(self, session: str) -> set[str]:
        """The sessions that touched the same files, for the engine; none where the graph is on a server, which would
        have to be waited for: that is asked beside, see `near`. Raises StoreError."""
        return set() if self._remote else self._similar(session)

    def _similar(self, session: str) -> set[str]:
        graph = registry.open_store(GRAPH, self._settings, self._home)
        if graph is None:
            return set()
        with contextlib.closing(graph):
            found = graph.similar(session, MOST_ALIKE) if graph.current() else []
        return {one.session for one in found if one.score >= LEAST_ALIKE}

    def _work(self) -> None:
        while not self._ends.is_set():
            self._done("elsewhere", self._elsewhere)
            while self._wanted and not self._ends.is_set():
                one = self._wanted.popleft()
                self._done("drafts", partial(ready.prepare, self._home, self._settings, one))
            while self._asked and not self._ends.is_set():
                self._done("graph", partial(self._look_around, *self._asked.popleft()))
            self._wake.wait(EACH_S)
            self._wake.clear()

    def _look_around(self, incident: str, session: str) -> None:
        sessions = self._similar(session)
        if sessions:
            self._near.append((incident, sessions))

    def _done(self, what: str, work: Callable[[], object]) -> None:
        try:
            work()
            self.troubles[what] = ""
        except LevaithanError as problem:
            self.troubles[what] = problem.message
        except Exception as problem:  # a thread that dies says nothing: whatever it was is told, and the next is tried
            self.troubles[what] = f"{type(problem).__name__}: {problem}"

    def _elsewhere(self) -> None:
        ledger = registry.open_ledger(self._settings, self._home)
        with contextlib.closing(ledger):
            for _ in range(1_000):
                found, place = notes.elsewhere(ledger, self._place)
                self._found.extend(found)
                if place == self._place:
                    return
                self._place = place
