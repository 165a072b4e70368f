"""The metrics of one home as one thing: read a batch of the journal, fold it, look around, keep the state.

The caller's loop is: `step()` until its batch is the end, `collect(now)` every few seconds, `save()` every few more.
Nothing here is for several threads at once. Knows nothing of processes, servers or alarms.
"""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING, Any

from levaithan.metrics import kept_state
from levaithan.metrics.exposition import Exposition
from levaithan.metrics.gauges import Gauges, Outside
from levaithan.metrics.labels import Labels
from levaithan.metrics.projection_lag import LIVE_S
from levaithan.metrics.reading import BATCH_BYTES, Batch, Reader
from levaithan.metrics.records import Fold
from levaithan.metrics.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home
    from levaithan.metrics.tally import Newborn

BEHIND_S = 60.0
SEEN_S = 60.0
"""How long it is said that old records were read: a scrape or two must see it beside the counters that they moved."""


class Watching:
    """The metrics of `home`. found: what was met when the state was read, in words, or "". more: what the caller had
    kept beside the figures the last time (`save`), {} for nothing: it belongs to the same cursor. since_s: when the
    counters began (s since 1970). newborn: counters that scrapes are to see as 0 (Tally.young). read_only: for whoever
    only looks: a damaged state stays where it is, and `save` is refused."""

    def __init__(
        self, home: Home, settings: Any, *, outside: Outside | None = None, threads: bool = True,
        read_only: bool = False,
    ) -> None:  # fmt: skip
        self.home = home
        self.read_only = read_only
        self.settings = settings
        self.found = ""
        self.more: dict[str, Any] = {}
        self.newborn: Newborn = frozenset()
        self.tally = Tally()
        self.fold = Fold(self.tally, Labels(home), settings)
        self.reader = Reader(home.journal)
        self.gauges = Gauges(self.tally, home, settings, labels=self.fold.labels, outside=outside, threads=threads)
        pid = lambda: self.gauges.journal.service_pid or 0  # noqa: E731
        self._exposition = Exposition(self.tally, time.monotonic, pid=pid, newborn=lambda: self.newborn)
        self._end = False
        self._old_until = 0.0  # monotonic
        self._lock: Any = None
        self._clock: tuple[float, float] | None = None
        self.since_s = time.time()
        self._load()

    def step(
        self,
        limit_bytes: int = BATCH_BYTES,
        *,
        each: Callable[[dict[str, Any], float], None] | None = None,
        anew: Callable[[], None] | None = None,
    ) -> Batch:
        """Fold about `limit_bytes` of what is new, and give it back. each(record, its time in s since 1970) is called
        before a record is folded. A journal that is read from its start (another one, a cut one) makes a batch that
        says `anew`: everything folded before is forgotten, then `anew` is called. Raises OSError: try again."""
        batch = self.reader.batch(limit_bytes)
        if batch.anew:
            self._forget()
            if anew is not None:
                anew()
        if batch.records and (batch.skipped or batch.damages):
            self.fold.missed(batch.records[-1].get("at"))
        if batch.records and time.time() - self.fold.moment(batch.records[0].get("at")) > BEHIND_S:
            self._old_until = time.monotonic() + SEEN_S
        take = self.fold.take
        for record in batch.records:
            if each is not None:
                each(record, self.fold.moment(record.get("at")))
            take(record)
        for _ in batch.damages:
            self.fold.damaged()
            self.gauges.verification.broken_s = time.time()
        self._count(batch)
        self._end = batch.end
        if batch.end:
            self._mark(batch, time.time())
        return batch

    def _count(self, batch: Batch) -> None:
        """Count the batch's lines; have the journal proven where some are missing."""
        self.tally.add("levaithan_journal_bytes_total", (), batch.bytes)
        odd = batch.lines - len(batch.records) - len(batch.damages)
        if odd:
            self.tally.add("levaithan_journal_odd_records_total", (), odd)
        if batch.anew or batch.skipped or batch.gap:  # pruned, put back or cut: only the whole chain says which
            self.gauges.verification.ask()

    def _mark(self, batch: Batch, now_s: float) -> None:
        """Mark what was recorded a moment ago, to see when the stores have it."""
        live = []
        for record in reversed(batch.records):
            at_s, seq = self.fold.moment(record.get("at")), record.get("seq")
            if now_s - at_s > LIVE_S:
                break
            if record.get("kind") == "event" and type(seq) is int:
                live.append((at_s, seq))
        for at_s, seq in reversed(live):
            self.gauges.lag.mark(at_s, seq, 1, now_s)

    def begin_anew(self) -> None:
        """Read the journal from its start again, and count all of it anew."""
        self.reader = Reader(self.home.journal)
        self.more = {}
        self._forget()

    def _forget(self) -> None:
        """Forget what was folded; what comes from elsewhere (the log, the stores, what models cost) stays counted."""
        self.fold.forget()
        self.since_s = time.time()

    def settle(self, at_s: float) -> None:
        """Bring what goes by its age alone to at_s (s since 1970): for a sample in the midst of a replay."""
        self.fold.settle(at_s)

    def catching_up(self, now_s: float) -> bool:
        """Whether what is being read was recorded more than BEHIND_S seconds before now_s."""
        return not self._end and now_s - self.fold.at_s > BEHIND_S

    def collect(self, now_s: float) -> None:
        """Bring gauges and windows to now_s (seconds since 1970); while catching up, windows to what is being read."""
        self._follow_clock(now_s)
        behind = self.catching_up(now_s)
        event_s = self.fold.at_s if behind else now_s
        self.tally.set("levaithan_metrics_catching_up", (), float(behind or time.monotonic() < self._old_until))
        self.fold.settle(event_s)
        seq = self.reader.position.seq if self.reader.position is not None and self._end else 0
        self.gauges.collect(now_s, head_seq=seq, event_s=event_s)

    def _follow_clock(self, now_s: float) -> None:
        """Notice a clock that was set, or a machine that slept: what is counted by its age did not age meanwhile."""
        now = (now_s, time.monotonic())
        if self._clock is not None:
            jump = now[0] - self._clock[0] - (now[1] - self._clock[1])
            if abs(jump) > BEHIND_S:
                self.fold.sessions.jumped(jump)
        self._clock = now

    def exposition(self) -> bytes:
        """The text format for a scrape, made once a second at most."""
        return self._exposition.bytes()

    def own(self) -> bool:
        """Whether this process may `save` from now on: no other one does. Raises OSError."""
        if self.read_only:
            return False
        self._lock = self._lock or kept_state.own(self.home)
        return self._lock is not None

    def save(self, more: dict[str, Any] | None = None) -> None:
        """Keep figures, cursor and `more` (as JSON takes it) together, for whoever `own`s the state. Raises OSError:
        what was kept before still is; PermissionError where it is only read."""
        if self.read_only:
            raise PermissionError(errno.EPERM, "the state is only read here", str(kept_state.path_of(self.home)))
        kept_state.write(self.home, {
            "place": self.reader.dump(), "tally": self.tally.dump(), "fold": self.fold.dump(),
            "objectives": self.gauges.objectives.dump(), "log": self.gauges.log.dump(),
            "slow": self.gauges.slow.dump(),
            "since_s": self.since_s, "broken_s": self.gauges.verification.broken_s,
            "more": self.more if more is None else more,
        })  # fmt: skip

    def stop(self) -> None:
        """End the looks."""
        self.gauges.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _load(self) -> None:
        try:
            kept = kept_state.read(self.home)
            if kept is not None:
                self._go_on(kept)
        except (ValueError, TypeError, KeyError, AttributeError) as problem:
            self.begin_anew()
            if self.read_only:
                self.found = f"{kept_state.path_of(self.home)} cannot be used ({problem}): the monitor sets it aside"
                self.found += "; the figures are made anew from the journal"
                return
            try:
                aside = kept_state.set_aside(self.home)
                self.found = f"{kept_state.path_of(self.home)} cannot be used ({problem}): it is kept as {aside.name}"
            except OSError as error:
                self.found = f"{kept_state.path_of(self.home)} cannot be used ({problem}), nor set aside ({error})"
            self.found += ", and the figures are made anew from the journal"

    def _go_on(self, kept: dict[str, Any]) -> None:
        self.tally.load(kept["tally"])
        self.fold.load(kept["fold"])
        self.gauges.objectives.load(kept["objectives"])
        self.gauges.log.load(kept["log"])
        if "slow" in kept:  # a state of before knows of none
            self.gauges.slow.load(kept["slow"])
        self.gauges.verification.broken_s = float(kept["broken_s"])
        self.reader.load(kept["place"])
        self.since_s = float(kept["since_s"])
        self.more = dict(kept["more"])
