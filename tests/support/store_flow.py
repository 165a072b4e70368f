"""A home whose store is on a real server, events that flow into it, and faults of that server in their midst.

`Flow.through(fault)` is the whole of it: quiet, hurt, events on, mended, caught up, held against the journal. What must
hold however busy the machine is raises here; what took how long is in the `Told` it gives.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.support import homes, payloads
from tests.support.faulted_stores import faulted, small_disk
from tests.support.steady_load import Load
from tests.support.store_harm import DOWN

from levaithan.config import settings as settings_of
from levaithan.hot import paths
from levaithan.projector import compare, status
from levaithan.stores import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.faulted_stores import Faulted
    from tests.support.store_harm import Fault

_FOLDER = "LEVAITHAN_TEST_SERVER_FOLDER"
TIMEOUT_S = 2.0
"""What a call to the store may take in these homes."""
PATIENCE_S = 120.0
_SECOND = 1_000_000_000
SESSION = payloads.DATA / "sessions" / "basic.jsonl"


@dataclass(frozen=True)
class Waits:
    """From a frame to its answer: p99 of all, and of the median second (a second of a busy machine does not count)."""

    p99_ms: float = 0.0
    second_ms: float = 0.0


@dataclass
class Told:
    """What was seen: how long answers took in the quiet, while hurt, and while catching up; the longest of all (ms);
    the lag (records) when hurt, at its highest, and at the end; what the store said; the seconds that it took."""

    events: int = 0
    quiet: Waits = Waits()
    hurt: Waits = Waits()
    after: Waits = Waits()
    longest_ms: float = 0.0
    lag_before: int = 0
    lag_highest: int = 0
    lag_end: int = 0
    said: set[str] = field(default_factory=set)
    hurt_s: float = 0.0
    caught_up_s: float = 0.0


class Watch(threading.Thread):
    """Looks ten times a second at what the projector says of a store."""

    def __init__(self, root: str, role: str) -> None:
        super().__init__(daemon=True)
        self._home, self._role, self._over = paths.home_at(root), role, threading.Event()
        self.seen: list[tuple[float, int, str, str]] = []

    def run(self) -> None:
        while not self._over.wait(0.1):
            one = ((status.read(self._home) or {}).get("stores") or {}).get(self._role)
            if one:
                error = one["error"] or {}
                words = f"{error.get('message', '')} next: {error.get('fix', '')}"
                self.seen.append((time.monotonic(), one["lag_events"], error.get("code", ""), words))

    def since(self, moment: float) -> list[tuple[float, int, str, str]]:
        return [one for one in self.seen if one[0] >= moment]

    def finish(self) -> None:
        self._over.set()
        self.join(10)


class Flow:
    """The server, the home and its service. `disk`: the small disk that the server is on, None without one."""

    def __init__(self, hurt: Faulted, folder: Path, disk: Path | None, **settings: object) -> None:
        self.faulted, self.server, self.disk, self.copy = hurt, hurt.server, disk, folder / "copy"
        self.learn: Callable[[], None] = lambda: None
        """Lets the home know the password that the last change made."""
        self.server.start()
        chosen = {"store_timeout_ms": int(TIMEOUT_S * 1000), "canary_interval_s": 0, **settings}
        self.root = homes.make_home(folder / "home", native=False, **chosen, **hurt.settings())
        hurt.prepare(self.root)
        self.service = homes.start_service(self.root)
        homes.sync(self.root)

    def end(self) -> None:
        if self.service.poll() is None:
            homes.stop_service(self.service)

    def through(self, fault: Fault, events: int, rate: float, hurt_s: float = 0.0) -> Told:
        """`events` at `rate` a second while the server is hurt for at least `hurt_s` seconds. Raises AssertionError."""
        fault.before(self)
        homes.sync(self.root)
        role = self.faulted.role
        watch = Watch(self.root, role)
        watch.start()
        load = Load(paths.home_at(self.root).socket, rate, SESSION, self.copy.parent / f"answers-{time.monotonic_ns()}")
        try:
            told = self._under(load, watch, fault, events, hurt_s)
        finally:
            load.kill()
            watch.finish()
        homes.sync(self.root, PATIENCE_S)
        equal_to_journal(self.root, self.faulted)
        return told

    def _under(self, load: Load, watch: Watch, fault: Fault, events: int, hurt_s: float) -> Told:
        third, signs = max(1, events // 3), self.faulted.signs.get(fault.name, fault.signs)
        homes.until(lambda: load.answered() >= third and self._well(watch, 0, load.rate), PATIENCE_S)
        told = Told(lag_before=watch.seen[-1][1] if watch.seen else 0)
        hurt_at = time.monotonic()
        fault.hurt(self)
        begun, since = time.monotonic_ns(), load.answered()
        homes.until(lambda: load.answered() - since >= third, PATIENCE_S)
        homes.until(lambda: load.answered_since(begun, since) >= third, PATIENCE_S, 0.2)
        time.sleep(max(0.0, hurt_at + hurt_s - time.monotonic()))
        homes.until(lambda: self._noticed(watch, hurt_at, signs, third, fault.words), PATIENCE_S)
        told.hurt_s = time.monotonic() - hurt_at
        mended_at = time.monotonic()
        self._mended(load, fault)
        all_s = (status.read(paths.home_at(self.root)) or {}).get("head_seq", 0) / load.rate  # it may have lost all
        homes.until(lambda: self._well(watch, mended_at, load.rate), PATIENCE_S + all_s)
        told.lag_highest = max(lag for _, lag, _, _ in watch.since(hurt_at))
        told.said = {f"{code}: {message}" for _, _, code, message in watch.since(hurt_at) if code}
        told.lag_end = watch.seen[-1][1]
        told.caught_up_s = time.monotonic() - mended_at
        homes.until(lambda: load.answered() >= events, PATIENCE_S + events / load.rate)
        said = load.finish()
        answers = load.answers()
        assert said["broken"] == 0, f"{said['broken']} events were not answered"
        assert len(answers) == said["sent"]
        assert not any(code for _, _, code in answers), "an event was refused"
        told.events = len(answers)
        told.longest_ms = max(taken for _, taken, _ in answers) / 1e6
        told.quiet = waits(answers, 0, hurt_at)
        told.hurt = waits(answers, hurt_at, mended_at)
        told.after = waits(answers, mended_at, mended_at + told.caught_up_s)
        return told

    def _noticed(self, watch: Watch, since: float, signs: frozenset[str], lag: int, words: str) -> bool:
        """Whether the projector has said what it must, and nothing else but that the server is down; at last with
        `words` in it."""
        seen = watch.since(since)
        strange = {message for _, _, code, message in seen if code and code not in signs | DOWN}
        assert not strange, strange
        return not signs or (
            bool(seen) and seen[-1][2] in signs and seen[-1][1] >= lag and words in seen[-1][3].lower()
        )

    def _mended(self, load: Load, fault: Fault) -> None:
        """A hook never waits for a store: whatever was sent is answered before the server is mended."""
        load.hold()
        load.go()
        fault.mend(self)

    def _well(self, watch: Watch, since: float, rate: float) -> bool:
        """Whether the store says so, and is about as near to the journal's end as events that flow let it be."""
        seen = watch.since(since)
        return bool(seen) and not seen[-1][2] and seen[-1][1] < rate


def equal_to_journal(root: str, hurt: Faulted | None = None) -> set[str]:
    """The ids of the events in the journal: every store of the home equals it, its schema is of now, nothing waits,
    and in that of `hurt` nothing is twice. Raises AssertionError."""
    home = paths.home_at(root)
    records = [one for one in homes.journal_records(root) if one["kind"] == "event"]
    ids = {str(one["id"]) for one in records}
    assert len(ids) == len(records), "an event is in the journal twice"
    patient = {"LEVAITHAN_STORE_TIMEOUT_MS": str(int(PATIENCE_S * 1000))}  # counting all of a graph may take long
    for name, store in registry.each(settings_of.load(root, environ=patient), home):
        if store is None:
            continue
        opened: Any = store
        try:
            done = compare.compare(home, opened)
            for _ in range(50):  # the service itself writes now and then: a signed checkpoint a minute
                if not done.behind:
                    break
                time.sleep(0.2)
                done = compare.compare(home, opened)
            assert (done.equal, done.waiting, done.behind) == (True, 0, 0), done
            assert done.stored == done.journal > 0, done
            assert opened.current(), name
            assert hurt is None or name != hurt.role or hurt.doubled(opened, root) == 0
        finally:
            opened.close()
    return ids


def waits(answers: list[tuple[int, int, int]], begun_s: float, ended_s: float) -> Waits:
    """Of the answers (sent, taken, code; ns) whose frame was sent between two moments. Seconds count from the first of
    them, and a piece of one at the end is left out, for the p99 of a few answers is their longest."""
    found = [(sent, taken) for sent, taken, _ in answers if begun_s * 1e9 <= sent < ended_s * 1e9]
    if not found:
        return Waits()
    first, last = min(found)[0], max(found)[0]
    seconds: dict[int, list[int]] = {}
    for sent, taken in found:
        seconds.setdefault((sent - first) // _SECOND, []).append(taken)
    if (last - first) % _SECOND < _SECOND * 0.9 and len(seconds) > 1:
        del seconds[max(seconds)]
    each = [_p99(some) for some in seconds.values()]
    return Waits(_p99([taken for _, taken in found]), round(median(each), 3))


def _p99(taken: list[int]) -> float:
    return round(sorted(taken)[len(taken) * 99 // 100] / 1e6, 3) if taken else 0.0


@contextlib.contextmanager
def flowing(store: str, folder: Path, disk_size: str, **settings: object) -> Iterator[Flow]:
    """A flow for the length of a block, its server on a small disk where one can be mounted or is given.

    Raises ServerMissingError where the server is not installed.
    """
    with small_disk(disk_size) as disk:
        before = os.environ.get(_FOLDER)
        if disk is not None:
            os.environ[_FOLDER] = str(disk)
        try:
            made = faulted(store, folder)
        finally:
            os.environ.pop(_FOLDER, None)
            if before is not None:
                os.environ[_FOLDER] = before
        flow = None
        try:
            flow = Flow(made, folder, disk, **settings)
            yield flow
        finally:
            if flow is not None:
                flow.end()
            made.server.stop()
