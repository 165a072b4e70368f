"""Questions and writes over one link to HelixDB: errors made ours, conflicts tried again, answers looked over."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from levaithan.stores.edge import Edge
from levaithan.stores.helix_errors import CONFLICT, UNPLANNED, RefusedError, translator
from levaithan.stores.roles import GRAPH, StoreBusyError, StoreTimeoutError, StoreUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.stores.helix_query import Query
    from levaithan.stores.opening import Opening

_PLANS = 8
_PLAN_S = 0.05
_CONFLICTS = 12
_CONFLICT_S = (0.005, 0.25)
_PATIENCE, _MOST_S = 30, 300.0
"""A question that looks at all of a kind may take so many times as long as another one, and so long at most: that is
the most that LEVAITHAN_STORE_TIMEOUT_MS can be, and what a gate before the server lets pass."""
_LATE_FIX = (
    "see what keeps the server busy; LEVAITHAN_STORE_TIMEOUT_MS is how long it may take, "
    f"{_PATIENCE} times that ({_MOST_S:g} s at most) for a question that looks at all of a kind"
)


class Calls:
    """Calls over `link` to the store of `opening`."""

    writing: ClassVar[dict[str, threading.Lock]] = {}
    """One write at a time in this process: two at once conflict, whatever they write."""

    def __init__(self, opening: Opening, link: Any) -> None:
        self.opening = opening
        self.link = link
        self._edge = Edge(GRAPH, opening.where, translator(opening), timeout_s=opening.timeout_s, logs=opening.logs)
        self._lock = self.writing.setdefault(opening.where, threading.Lock())
        self.patience_s = max(opening.timeout_s, min(_PATIENCE * opening.timeout_s, _MOST_S))

    def ask(self, query: Query, **values: Any) -> dict[str, Any]:
        """What a read answers; asked again where the planner found no way this time. Raises StoreError."""
        body, ask = query.body(**values), self._patient if query.whole else self._at_once
        for left in reversed(range(_PLANS)):
            try:
                return self._told(lambda: ask(body))
            except RefusedError as error:
                if not left or UNPLANNED not in str(error):
                    raise self.unsupported(f"it does not take the question: {error}") from error
            time.sleep(_PLAN_S)
        raise AssertionError("the last one raises")

    def _at_once(self, body: bytes) -> bytes:
        answer: bytes = self._edge.call(lambda: self.link.ask(body))
        return answer

    def _patient(self, body: bytes) -> bytes:
        begun = time.monotonic()
        try:
            answer: bytes = self._edge.call(lambda: self.link.ask(body, self.patience_s))
        except StoreTimeoutError as error:
            if time.monotonic() - begun < self.patience_s:  # it was not even reached
                raise
            raise self.late(self.patience_s, _LATE_FIX) from error
        return answer

    def write(self, body: bytes) -> dict[str, Any]:
        """What a write answers; repeated where another writer was quicker. Raises StoreError, and RefusedError for what
        it does not take."""
        wait = _CONFLICT_S[0]
        for _ in range(_CONFLICTS):
            try:
                with self._lock:
                    return self._told(lambda: self._edge.call(lambda: self._sent(body)))
            except _ConflictError:
                time.sleep(wait * (0.5 + random.random()))  # noqa: S311 - no secret: two writers must not stay in step
                wait = min(wait * 2, _CONFLICT_S[1])
        raise StoreBusyError(store=GRAPH, reason=f"other writers were quicker {_CONFLICTS} times in a row")

    def _sent(self, body: bytes) -> bytes:
        try:
            answer: bytes = self.link.ask(body)
        except RefusedError as error:
            if CONFLICT in str(error):
                raise _ConflictError from error
            raise
        return answer

    def _told(self, ask: Callable[[], bytes]) -> dict[str, Any]:
        answer = ask()
        try:
            told = orjson.loads(answer)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise self.unsupported("it answers, and not as HelixDB does")
        return told

    def unsupported(self, reason: str, fix: str | None = None) -> StoreUnsupportedError:
        """An error that says why this server is of no use."""
        return StoreUnsupportedError(store=GRAPH, role=GRAPH.upper(), where=self.opening.where, reason=reason, fix=fix)

    def late(self, limit_s: float | None = None, fix: str | None = None) -> StoreTimeoutError:
        """An error that says that it took too long: more than `limit_s`, or what any question may take."""
        where, seconds = self.opening.where, f"{limit_s or self.opening.timeout_s:g}"
        return StoreTimeoutError(store=GRAPH, role=GRAPH.upper(), where=where, seconds=seconds, fix=fix)


class _ConflictError(Exception):
    """Another writer was quicker; nothing was written."""
