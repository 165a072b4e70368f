"""The stores, by asking them: a question there and back each ASK_S seconds, each store in a thread of its own.

The question is the one that the projector begins with (where its cursor stands). HelixDB's engine inside a process has
one owner, the projector, so of that only the projector's own word counts. What the projector tells in its
status file comes to it: how far each store is, what it could not take, how long batches took.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from levaithan.metrics import names
from levaithan.metrics.families import STORE_S
from levaithan.metrics.looks import Look
from levaithan.metrics.moments import parsed
from levaithan.projector import status
from levaithan.stores import address, looking, registry, slow
from levaithan.stores.slow import SLOW_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from levaithan.hot.paths import Home
    from levaithan.metrics.tally import Tally

ASK_S = 10.0
LIMIT_S = 5.0
SIZE_EVERY_S = 60.0
FRESH_S = 10.0
"""A projector that has not said anything for longer is taken to stand still."""
UP = "levaithan_store_up"
_OF_PROJECTOR = (
    "levaithan_store_lag_events", "levaithan_store_lag_seconds", "levaithan_store_dead_letters",
    "levaithan_store_pool_in_use", "levaithan_store_pool_size", UP,
)  # fmt: skip
_REASONS = {f"store_{reason}": reason for reason in names.STORE_ERRORS} | {"store_schema_newer": "schema"}


class _Asked:
    """One store, opened once. Raises what the store raises."""

    def __init__(self, role: str, settings: Any, home: Home) -> None:
        self._role, self._settings, self._home = role, settings, home
        self._store: Any = None
        self._sized = -SIZE_EVERY_S

    def ask(self) -> dict[str, float]:
        """seconds of the question there and back; now and then also the bytes that the store takes."""
        with slow.unsaid():  # it is counted here
            return self._answered()

    def _answered(self) -> dict[str, float]:
        if self._store is None:
            self._store = registry.open_store(self._role, self._settings, self._home)
            self._store.cursor()  # the connection is made now: it is no part of the answer's time
        begun = time.monotonic()
        try:
            self._store.cursor()
            found = {"seconds": time.monotonic() - begun}
            if begun - self._sized >= SIZE_EVERY_S:
                self._sized = begun
                found["bytes"] = float(self._store.health().bytes)
        except Exception:
            self.close()
            raise
        return found

    def close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()


class StoreLooks:
    """The stores in use. `threads` False, for who looks only once: `collect` itself asks all those that are not in what
    a monitor has `seen` (see below) a moment ago."""

    def __init__(
        self, home: Home, settings: Any, *, threads: bool = True, seen: Callable[[], dict[str, Any]] = dict
    ) -> None:
        self._home = home
        self._seen = seen
        self._settings = settings
        self._threads = threads
        self._up: dict[str, bool] = {}
        self._told: dict[str, dict[str, Any]] = {}
        self._told_by: object = None
        self._behind_s: dict[str, float] = {}
        self._looks: dict[str, Look] = {}
        self.stores: dict[str, dict[str, Any]] = {}
        self._marks = address.marks(settings)
        self._at: dict[str, str] = {}
        for role in registry.known():
            if registry.in_use(role, settings) and not _in_process(role, settings):
                asked = _Asked(role, _short(settings), home)
                look = self._looks[role] = Look(f"store-{role}", asked.ask, ASK_S, LIMIT_S, asked.close)
                if threads:
                    look.start()

    def stop(self) -> None:
        """End the threads; one that hangs is left behind, it is a daemon."""
        for look in self._looks.values():
            look.stop()

    def collect(self, tally: Tally, head_seq: int, now_s: float) -> None:
        """Bring the stores' gauges and counters up to now; head_seq: the journal's last record."""
        if not self._threads:
            seen = self._seen()
            asked = [role for role in self._looks if not self._taken(tally, role, seen.get(role))]
            list(looking.each(lambda role: self._looks[role].once(), asked, self._home))
        for role, look in self._looks.items():
            self._answers(tally, role, look)
        self._projector(tally, head_seq, now_s)

    def _answers(self, tally: Tally, role: str, look: Look) -> None:
        for found in look.take():
            self._up[role] = found.error is None
            if found.error is not None:
                tally.add("levaithan_store_errors_total", (role, reason_of(getattr(found.error, "code", ""))))
                continue
            tally.observe("levaithan_store_latency_seconds", (role, "query"), found.value["seconds"])
            if found.value["seconds"] > SLOW_S["query"]:
                tally.add("levaithan_store_slow_queries_total", (role, "query"))
            if found.value.get("bytes"):
                tally.set("levaithan_store_size_bytes", self._placed(role), found.value["bytes"])
        late = look.overdue() > 0
        if role in self._up or late:
            tally.set(UP, self._placed(role), float(self._up.get(role, False) and not late))

    def seen(self, tally: Tally) -> dict[str, dict[str, Any]]:
        """Store -> its address, up (1 or 0), bytes, as far as they were looked at: for others to take."""
        sizes = tally.table("levaithan_store_size_bytes")
        return {
            role: {"address": where, "up": up, "bytes": sizes.get((role, where))}
            for (role, where), up in tally.table(UP).items()
            if where == self._marks.get(role)
        }

    def _taken(self, tally: Tally, role: str, seen: Any) -> bool:
        """Whether this was seen of the store in use; then it stands for what asking would give."""
        if not isinstance(seen, dict) or seen.get("address") != self._marks[role]:
            return False
        tally.set(UP, self._placed(role), _number(seen.get("up")))
        if seen.get("bytes"):
            tally.set("levaithan_store_size_bytes", self._placed(role), _number(seen["bytes"]))
        return True

    def _stands(self, name: str, place: tuple[str, ...]) -> bool:
        role = place[0]
        asked = name == UP and role in self._looks  # where the settings say, too
        return place == self._placed(role, self._at) or (asked and place == self._placed(role))

    def _placed(self, role: str, at: Mapping[str, str] | None = None) -> tuple[str, str]:
        return role, (at or {}).get(role) or self._marks.get(role, "")

    def _place_of(self, role: str, one: object, *, silent: bool) -> str:
        """Where the store is of which the projector says `one`; "" for what is no word of now. It began at another time
        than this process, so its settings may be others, and what it works at is what counts; but a projector that is
        gone had maybe those of before."""
        if not isinstance(one, dict):
            return ""
        here, where = self._marks.get(role, ""), one.get("where")
        at = here if where is None else address.mark(str(where))
        return at if at == here or not silent else ""

    def _forget(self, tally: Tally) -> None:
        """Take out what the projector said of stores where it has them no more: it would stand for ever."""
        for name in _OF_PROJECTOR:
            rows = tally.table(name)
            kept = {place: value for place, value in rows.items() if self._stands(name, place)}
            if len(kept) < len(rows):
                tally.replace(name, kept)

    def _projector(self, tally: Tally, head_seq: int, now_s: float) -> None:
        told = status.read(self._home)
        stores = told.get("stores") if told else None
        if told is None or not isinstance(stores, dict):
            return
        updated = parsed(told.get("updated")) or now_s
        run = (told.get("pid"), told.get("started"))
        if run != self._told_by:  # another projector: it counts from 0
            self._told_by, self._told = run, {}
        silent = status.silent(told)
        found = {role: self._place_of(role, one, silent=silent) for role, one in stores.items()}
        self._at = {role: at for role, at in found.items() if at}
        self.stores = {role: stores[role] for role in self._at}
        self._forget(tally)
        for role, one in self.stores.items():
            self._lag(tally, role, one, silent_s=max(0.0, now_s - updated), head_seq=head_seq, now_s=now_s)
            placed = self._placed(role, self._at)
            tally.set("levaithan_store_dead_letters", placed, _number(one.get("dead_letters")))
            if role not in self._looks or placed != self._placed(role):  # nobody else asks there
                tally.set(UP, placed, float(one.get("state") != "down"))
            pool = one.get("pool")
            if isinstance(pool, list) and len(pool) == 2:
                tally.set("levaithan_store_pool_in_use", placed, _number(pool[0]))
                tally.set("levaithan_store_pool_size", placed, _number(pool[1]))
            self._counted(tally, role, one)

    def _lag(
        self, tally: Tally, role: str, one: dict[str, Any], *, silent_s: float, head_seq: int, now_s: float
    ) -> None:
        behind = max(_number(one.get("lag_events")), head_seq - _number(one.get("seq")) if head_seq else 0.0, 0.0)
        if not behind:
            self._behind_s.pop(role, None)
        since_s = self._behind_s.setdefault(role, now_s) if behind else now_s
        told = one.get("lag_seconds")
        # A projector that delivered nothing since its start cannot say for how long it has been behind.
        seconds = _number(told) if told is not None else max(0.0, now_s - since_s)
        if behind and silent_s > FRESH_S:
            seconds += silent_s
        tally.set("levaithan_store_lag_events", self._placed(role, self._at), behind)
        tally.set("levaithan_store_lag_seconds", self._placed(role, self._at), seconds if behind else 0.0)

    def _counted(self, tally: Tally, role: str, one: dict[str, Any]) -> None:
        """What this projector has counted since the last time."""
        before = self._told.get(role, {})
        after = self._told[role] = {"puts": one.get("puts"), "failures": one.get("failures")}
        puts, known = after["puts"], before.get("puts") or [0] * (len(STORE_S) + 2)
        if isinstance(puts, list) and len(puts) == len(known) == len(STORE_S) + 2:
            more = [max(0.0, _number(new) - _number(old)) for new, old in zip(puts, known, strict=True)]
            if any(more):
                tally.add_bins("levaithan_store_latency_seconds", (role, "put"), more[:-1], more[-1])
                slow = sum(more[bisect_right(STORE_S, SLOW_S["put"]) : -1])
                tally.add("levaithan_store_slow_queries_total", (role, "put"), slow)
        failures = after["failures"]
        for code, count in failures.items() if isinstance(failures, dict) else ():
            more_failures = _number(count) - _number((before.get("failures") or {}).get(code))
            if more_failures > 0:
                tally.add("levaithan_store_errors_total", (role, reason_of(code)), more_failures)


def reason_of(code: object) -> str:
    """The label of an error's code."""
    return _REASONS.get(str(code), names.OTHER)


def _short(settings: Any) -> Any:
    """The settings, with a time-out that ends before a look is overdue."""
    if not hasattr(settings, "model_copy"):
        return settings
    return settings.model_copy(update={"store_timeout_ms": min(settings.store_timeout_ms, int(LIMIT_S * 800))})


def _in_process(role: str, settings: Any) -> bool:
    """Whether the store is an engine inside of the one process that may open it."""
    return str(registry.setting(settings, role, "url") or "").startswith("helix:")


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
