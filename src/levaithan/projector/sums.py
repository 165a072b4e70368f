"""The hourly sums (rollups) that a journal makes, held against those of a ledger, and when its machines were heard.

A ledger adds to its sums batch by batch. The journal is summed up anew by the same SQL (stores.rollups); what depends
on where a batch ended is left out of the comparison:
- the model, which a session may tell after its first events were counted: sums are of all models together, and a model
  must be one that somebody named;
- what a tool took, in a sum that holds a call which ended twice: the ledger takes the end that it knows of.
Not compared are hours of records outside of the window, which only the ledger knows whole: pruned ones, newer ones, and
what retention has left of months that are gone.
Of `machines` (PostgreSQL) the time of the newest event is; when the server heard of it is of no record.
"""
# Every part of these texts is this module's own; what is asked for goes in as parameters.
# ruff: noqa: S608

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import sqlite as dialects
from sqlalchemy.schema import CreateTable

from levaithan.stores import rollups
from levaithan.stores.rows import OUTCOMES
from levaithan.stores.schema import TABLES
from levaithan.stores.times import FIRST_US, Times

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from levaithan.projector.scratch import Window
    from levaithan.stores.roles import Delivery
    from levaithan.stores.rows import Row, Rows

_COLUMNS = ("id", "journal", "at_us", "event", "session_id", "tool_name", "tool_use_id", "decision", "duration_us",
            "project", "canary")  # fmt: skip
"""What the sums are made of."""
_PLACES = {one.name: place for place, one in enumerate(TABLES["events"].columns)}
_AT_US, _MACHINE, _SEQ = _PLACES["at_us"], _PLACES["machine"], _PLACES["seq"]
_SUMMED = itemgetter(*(_PLACES[name] for name in _COLUMNS))
_KEYS = ("hour_us", "project", "tool_name", "event", "decision")
_OF_CALLS = tuple(name for name in rollups.MEASURES if name.startswith("tool_"))
MEASURES = (*(name for name in rollups.MEASURES if name not in _OF_CALLS), *_OF_CALLS)
"""What is compared of a sum; the last of it is what tools took."""
_SURE = len(_KEYS) + len(MEASURES) - len(_OF_CALLS)
"""How many of the columns are the same whatever a call's end is."""
_SUMS = ", ".join(f"{'max' if name.endswith('_max_us') else 'sum'}({name})" for name in MEASURES)
_HOURS = "hour_us >= :low AND hour_us < :high"
_KEY = "at_us - at_us % {hour}, coalesce(project, ''), coalesce(tool_name, ''), event, coalesce(decision, '')"
_ENDS = ", ".join(f"'{name}'" for name, outcome in OUTCOMES.items() if outcome)
_ENDED = (
    f"INSERT INTO ends SELECT tool_use_id, {_KEY.format(hour=rollups.HOUR_US)} FROM events "
    f"WHERE tool_use_id IS NOT NULL AND event IN ({_ENDS})"
)
_TWICE = (
    f"CREATE TABLE twice AS SELECT DISTINCT {', '.join(_KEYS)} FROM ends WHERE tool_use_id IN "
    "(SELECT tool_use_id FROM ends GROUP BY tool_use_id HAVING count(*) > 1)"
)
_ELSEWHERE = (
    "SELECT 1 FROM events WHERE journal = :journal AND (seq < :first OR seq > :last) "
    "AND at_us >= :low AND at_us < :high LIMIT 1"
)
_OLDEST = f"SELECT min(at_us) FROM events WHERE journal = :journal AND at_us >= {FIRST_US}"
_HEARD = (
    "INSERT INTO machines VALUES (?, ?, ?) ON CONFLICT (machine) DO UPDATE SET "
    "taken_us = max(taken_us, excluded.taken_us), newest_us = max(newest_us, excluded.newest_us)"
)
_ROWS = 2000
_LEAST, _MOST = -(1 << 62), 1 << 62
_NEVER = 1 << 62
"""The newest time of a machine of which a record has a time that is none: nobody can tell."""
_MODELS = {"SessionStart": "model", "PostModelSwitch": "to_model"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sums:
    """The sums of one journal, in a scratch file that has its sessions and tool_calls.

    A rewrite of a pruned journal makes the sums of all hours behind `near_us` anew.
    """

    def __init__(self, file: sqlite3.Connection) -> None:
        self.file = file
        self._begun: int | None = None
        self._first: int | None = None
        self._near: list[int] = []
        dialect = dialects.dialect()
        file.execute(str(CreateTable(TABLES["rollups"]).compile(dialect=dialect)))
        types = {one.name: one.type.compile(dialect) for one in TABLES["events"].columns}
        file.execute(f"CREATE TABLE events ({', '.join(f'{name} {types[name]}' for name in _COLUMNS)})")
        file.execute(f"CREATE TABLE ends (tool_use_id TEXT, hour_us INTEGER, {', '.join(_KEYS[1:])})")
        file.execute("CREATE TABLE models (model TEXT PRIMARY KEY)")
        file.execute("CREATE TABLE machines (machine TEXT PRIMARY KEY, taken_us INTEGER, newest_us INTEGER)")
        self._count = rollups.count_sql("events", "1", "sqlite")

    def put(self, read: Sequence[Delivery], taken: Sequence[Delivery], made: Rows) -> None:
        """Add the records that were `read`, of which the ledger should have those in `taken` as the rows `made`; within
        the file's transaction, after its sessions and calls."""
        run = self.file
        run.executemany(f"INSERT INTO events VALUES ({', '.join('?' * len(_COLUMNS))})", map(_SUMMED, made.events))
        run.execute(self._count)
        run.execute(_ENDED)
        run.execute("DELETE FROM events")
        run.executemany("INSERT OR IGNORE INTO models VALUES (?)", {(one,) for one in _models(taken)})
        self._begin(read, made.events)
        self._heard(read, made.events)

    def _heard(self, read: Sequence[Delivery], events: Sequence[Row]) -> None:
        """Note the newest times of the machines: of the events that were taken, and of all."""
        taken: dict[str, int] = {}
        for row in events:
            machine = row[_MACHINE]
            if isinstance(machine, str):
                taken[machine] = max(taken.get(machine, _LEAST), row[_AT_US])
        newest, times = dict[str, int](), Times()
        for one in read:
            record = one.record or {}
            machine, at = record.get("machine"), record.get("at")
            if isinstance(machine, str) and record.get("kind") == "event":
                us = _us(times, at)
                newest[machine] = max(newest.get(machine, _LEAST), _NEVER if us is None else us)
        self.file.executemany(
            _HEARD, [(_named(one), taken.get(one, _LEAST), newest.get(one, _LEAST)) for one in taken.keys() | newest]
        )

    def _begin(self, read: Sequence[Delivery], events: Sequence[Row]) -> None:
        """Note the times of the first records, by which it is known since when the journal tells everything."""
        if self._first is None and read:
            self._first = read[0].seq
        now, last = time.time_ns() // 1000, (self._first or 0) + rollups.NEAR
        self._near += [row[_AT_US] for row in events if row[_SEQ] < last and FIRST_US <= row[_AT_US] < now]
        times = Times()
        for one in read if self._begun is None else ():
            us = _us(times, (one.record or {}).get("at"))
            if us is not None and us >= FIRST_US:
                self._begun = us
                break

    @property
    def near_us(self) -> int | None:
        """The middle of the first events' times (rollups.NEAR), None for none."""
        return sorted(self._near)[len(self._near) // 2] if self._near else None

    @property
    def _begun_us(self) -> int | None:
        """The time of the first record, unless its clock was ahead of the first events'."""
        return min((us for us in (self._begun, self.near_us) if us is not None), default=None)

    def count(self) -> int:
        """How many sums there are, all models together."""
        asked = self.file.execute(f"SELECT count(*) FROM (SELECT DISTINCT {', '.join(_KEYS)} FROM rollups)")
        return int(asked.fetchone()[0])

    def differing(self, ledger: Any, window: Window, dropped_us: int = 0) -> Iterator[tuple[str, str]]:
        """(table, key) of each sum, model or machine that the ledger lacks, or holds otherwise, or of no record; none
        of the months before `dropped_us`."""
        self.file.execute("DROP TABLE IF EXISTS twice")
        self.file.execute(_TWICE)
        whole = _Whole(ledger, window, self.near_us if ledger.shared else self._begun_us, dropped_us)
        for low, high in self._spans():
            ours, theirs = self._sums(low, high), _theirs(ledger, window, low, high)
            twice = set(self.file.execute(f"SELECT * FROM twice WHERE {_HOURS}", {"low": low, "high": high}))
            for key in sorted(ours.keys() | theirs.keys()):
                until = _SURE if key in twice else None
                if ours.get(key, ())[:until] != theirs.get(key, ())[:until] and whole.is_told(key[0]):
                    yield "rollups", "/".join((_hour(key[0]), *map(str, key[1:])))
        yield from self._unnamed(ledger, window)
        if ledger.shared:
            yield from self._unheard(ledger, window)

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Spans of hours, from the first that can be to the last, of about _ROWS sums each."""
        low, rows = _LEAST, 0
        for hour, count in self.file.execute("SELECT hour_us, count(*) FROM rollups GROUP BY 1 ORDER BY 1").fetchall():
            if rows and rows + count > _ROWS:
                yield low, hour
                low, rows = hour, 0
            rows += count
        yield low, _MOST

    def _sums(self, low: int, high: int) -> dict[Row, Row]:
        """key -> key and measures, of the hours from `low` until `high`."""
        asked = f"SELECT {', '.join(_KEYS)}, {_SUMS} FROM rollups WHERE {_HOURS} GROUP BY {', '.join(_KEYS)}"
        found = self.file.execute(asked, {"low": low, "high": high})
        return {row[: len(_KEYS)]: row for row in found}

    def _unnamed(self, ledger: Any, window: Window) -> Iterator[tuple[str, str]]:
        """The models that nobody named. Where records were pruned nobody can tell."""
        if window.pruned():
            return
        asked = ledger.rows("SELECT DISTINCT model FROM rollups WHERE journal = :journal", {"journal": window.journal})
        named = {"", *(model for (model,) in self.file.execute("SELECT model FROM models"))}
        unknown = {model for (model,) in asked} - named
        if unknown:  # another machine's session, or a newer record
            unknown -= {model for (model,) in ledger.rows("SELECT DISTINCT model FROM sessions")}
        for model in sorted(unknown):
            yield "rollups", f"of the model {model}"

    def _unheard(self, ledger: Any, window: Window) -> Iterator[tuple[str, str]]:
        """The machines whose newest event is not that of the journal."""
        asked = "SELECT machine, newest_us FROM machines WHERE journal = :journal"
        there = {str(one): int(us) for one, us in ledger.rows(asked, {"journal": window.journal})}
        more = window.pruned() or window.goes_on()
        for machine, taken, newest in self.file.execute("SELECT * FROM machines ORDER BY machine"):
            told = there.pop(machine, _LEAST)
            if newest != _NEVER and (told < taken or (told > newest and not more)):
                yield "machines", machine
        yield from (("machines", one) for one in sorted(there) if not more)


class _Whole:
    """Whether the journal tells all of an hour: it is asked of the few that differ."""

    def __init__(self, ledger: Any, window: Window, begun: int | None, dropped_us: int) -> None:
        self._ledger = ledger
        self._window = window
        self._begun = begun
        self._dropped_us = dropped_us
        self._oldest: int | None = None
        self._known: dict[int, bool] = {}

    def is_told(self, hour: int) -> bool:
        """Whether no record outside of the window is in the hour that begins at `hour` (microseconds)."""
        if hour not in self._known:
            self._known[hour] = not self._is_older(hour) and not self._is_elsewhere(hour)
        return self._known[hour]

    def _is_older(self, hour: int) -> bool:
        """Whether its events may be gone: pruned here, or dropped there by retention."""
        if self._window.pruned() and (self._begun is None or hour <= self._begun):
            return True
        if not self._ledger.shared or hour < FIRST_US:
            return False
        if hour < self._dropped_us:
            return True
        if self._oldest is None:
            ((oldest,),) = self._ledger.rows(_OLDEST, {"journal": self._window.journal})
            self._oldest = _MOST if oldest is None else int(oldest)
        return hour + rollups.HOUR_US <= self._oldest

    def _is_elsewhere(self, hour: int) -> bool:
        window = self._window
        values = {"journal": window.journal, "first": window.first, "last": window.last}
        return bool(self._ledger.rows(_ELSEWHERE, {**values, "low": hour, "high": hour + rollups.HOUR_US}))


def _theirs(ledger: Any, window: Window, low: int, high: int) -> dict[Row, Row]:
    """The ledger's own; see Sums._sums."""
    asked = (
        f"SELECT {', '.join(_KEYS)}, {_SUMS} FROM rollups WHERE journal = :journal AND {_HOURS} "
        f"GROUP BY {', '.join(_KEYS)}"
    )
    rows = ledger.rows(asked, {"journal": window.journal, "low": low, "high": high})
    return {tuple(row[: len(_KEYS)]): tuple(row) for row in rows}


def _models(taken: Sequence[Delivery]) -> Iterator[str]:
    for one in taken:
        record = one.record or {}
        name = _MODELS.get(str(record.get("event")))
        payload = record.get("payload")
        if name and isinstance(payload, dict) and isinstance(payload.get(name), str):
            yield payload[name]


def _us(times: Times, at: Any) -> int | None:
    try:
        return times.us(at)
    except (ValueError, TypeError):
        return None


def _named(machine: str) -> str:
    """As PostgreSQL has it."""
    return machine[:200].replace("\0", "")


def _hour(hour_us: int) -> str:
    try:
        return f"{_EPOCH + timedelta(microseconds=hour_us):%Y-%m-%dT%H}"
    except OverflowError:
        return str(hour_us)
