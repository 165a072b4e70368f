"""What was spent, by session, agent, task, project, day, week and month: kept as transcripts grow, for budgets.

`state/spend.sqlite` derives from the transcripts: one call to a model is one row, wherever it is told of, so that a
copied or repeated line counts once; where a transcript was read to is kept in the same transaction. Money is whole
nano-USD (1e-9 USD); days are local, as people's are. Standard library only; loaded where spending is looked at, not on
every event.
"""

from __future__ import annotations

import os
import time

from levaithan.hot import usage
from levaithan.hot.database import Database
from levaithan.hot.prices import Prices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    from levaithan.hot.paths import Home

    Loads = Callable[[bytes], Any]
    Made = TypeVar("Made")

SCHEMA = 2
FILE = "/spend.sqlite"
_KEPT_DAYS = 100
_AT_ONCE = 4 << 20
"""Bytes of one transcript that are read while Claude Code waits; the rest at the next event."""
_UNDER_WAY = " under way"
_LONGEST_US = 3_600_000_000
"""No reservation lasts longer: one that seems to was made when the clock was ahead."""
SHARED = (
    "SELECT bucket, nano FROM totals WHERE (bucket >= 'project:' AND bucket < 'project;' "
    "AND (instr(bucket, '|') = 0 OR substr(bucket, instr(bucket, '|') + 1) IN (?, ?, ?))) "
    "OR bucket IN (?, ?, ?) LIMIT ?"
)
_TABLES = """
CREATE TABLE IF NOT EXISTS calls (id TEXT PRIMARY KEY, session TEXT, agent TEXT, day TEXT, nano INTEGER, buckets TEXT)
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS calls_by_session ON calls (session, agent);
CREATE INDEX IF NOT EXISTS calls_by_day ON calls (day);
CREATE TABLE IF NOT EXISTS totals (bucket TEXT PRIMARY KEY, nano INTEGER, calls INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tails (file TEXT PRIMARY KEY, offset INTEGER, inode INTEGER, mark TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reserved (holder TEXT, bucket TEXT, nano INTEGER, until_us INTEGER,
    PRIMARY KEY (holder, bucket)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reserved_by_bucket ON reserved (bucket);
CREATE TABLE IF NOT EXISTS told (what TEXT PRIMARY KEY, at_us INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused (what TEXT PRIMARY KEY, calls INTEGER, at_us INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tasks (session TEXT PRIMARY KEY, task TEXT, at_us INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unpriced (model TEXT PRIMARY KEY, calls INTEGER, tokens INTEGER) WITHOUT ROWID;
"""


class Spend:
    """The sums of one home. Raises sqlite3.Error and OSError when they cannot be had; one that is damaged is set
    aside and made anew from the transcripts that come along."""

    def __init__(self, home: Home, loads: Loads) -> None:
        self._home = home
        self._loads = loads
        self._prices: tuple[object, Prices] | None = None
        self.others: dict[str, tuple[int, int]] = {}
        """bucket -> nano-USD (spent, reserved) by other machines, which counts here as well (shared_budgets)."""
        self._db = Database(home.state + FILE, _TABLES, SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def one_step(self, work: Callable[[], Made]) -> Made:
        """What `work` makes of the sums, as one step."""
        return self._db.one_step(work)

    def settle(self, session: str, transcript: str, project: str | None) -> set[str]:
        """Take up what the session's transcripts tell of by now; inside one_step(). The agents ("" is the main thread)
        that have made calls since."""
        moved: set[str] = set()
        task = self.task(session)
        for path in usage.files(transcript):
            kept = self._db.execute("SELECT offset, inode, mark FROM tails WHERE file = ?", (path,)).fetchone()
            tail = usage.Tail(path, *(kept or ()))
            if not tail.read(self._loads, _AT_ONCE) and (kept is None or tail.place() == kept):
                continue
            for call in tail.calls.values():
                if self._take(call, session, project, task):
                    moved.add(call.agent_id)
            self._db.execute("INSERT OR REPLACE INTO tails VALUES (?, ?, ?, ?)", (path, *tail.place()))
        return moved

    def _take(self, call: usage.Call, session: str, project: str | None, task: str | None) -> bool:
        """Count one call, or what is new of it. A call of another session is that session's."""
        nano = self._price(call)
        known = self._db.execute("SELECT session, nano, buckets FROM calls WHERE id = ?", (call.message_id,)).fetchone()
        if known is None:
            if nano is None:
                self._db.execute(
                    "INSERT INTO unpriced VALUES (?, 1, ?) ON CONFLICT (model) DO UPDATE SET calls = calls + 1, "
                    "tokens = tokens + excluded.tokens",
                    (call.model, call.tokens),
                )
            buckets = buckets_of(call.time, session, call.agent_id, project, task)
            row = (call.message_id, session, call.agent_id, call.time[:10], nano or 0, "\n".join(buckets))
            self._db.execute("INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?)", row)
            self._add(buckets, nano or 0, 1)
            return True
        if known[0] != session or nano is None or nano == known[1]:
            return False
        self._db.execute("UPDATE calls SET nano = ? WHERE id = ?", (nano, call.message_id))
        self._add(known[2].split("\n"), nano - known[1], 0)
        return True

    def _add(self, buckets: Sequence[str], nano: int, calls: int) -> None:
        self._db.executemany(
            "INSERT INTO totals VALUES (?, ?, ?) ON CONFLICT (bucket) DO UPDATE SET nano = nano + excluded.nano, "
            "calls = calls + excluded.calls",
            [(bucket, nano, calls) for bucket in buckets],
        )

    def _price(self, call: usage.Call) -> int | None:
        seen = _stamp(self._home.state + "/prices.kept")
        if self._prices is None or self._prices[0] != seen:
            self._prices = (seen, Prices.load(self._home))
        return self._prices[1].price(call)

    @property
    def found(self) -> str:
        """What is to be said of the file, "" for nothing: that it was damaged, and where it is."""
        return self._db.found

    def shared(self, periods: Sequence[str], most: int) -> dict[str, int]:
        """Bucket -> nano-USD spent, of what machines share: these periods (three), and projects in them and in all."""
        return dict(self._db.execute(SHARED, (*periods, *periods, most)).fetchall())

    def spent(self, bucket: str) -> int:
        """Nano-USD spent in `bucket`."""
        row = self._db.execute("SELECT nano FROM totals WHERE bucket = ?", (bucket,)).fetchone()
        return (int(row[0]) if row else 0) + (self.others[bucket][0] if bucket in self.others else 0)

    def reserved(self, bucket: str, now_us: int, besides: str = "") -> int:
        """Nano-USD that calls under way may still cost in `bucket`, without what the holder `besides` reserved."""
        sql = (
            "SELECT COALESCE(SUM(nano), 0) FROM reserved WHERE bucket = ? AND until_us BETWEEN ? AND ? AND holder != ?"
        )
        own = int(self._db.execute(sql, (bucket, now_us + 1, now_us + _LONGEST_US, besides)).fetchone()[0])
        return own + (self.others[bucket][1] if bucket in self.others else 0)

    def reserve(self, holder: str, buckets: Sequence[str], nano: int, until_us: int) -> None:
        """Set `nano` aside in each bucket for the next call of `holder`, in place of what it had reserved."""
        self._db.execute("DELETE FROM reserved WHERE holder = ?", (holder,))
        rows = [(holder, bucket, nano, until_us) for bucket in buckets]
        self._db.executemany("INSERT OR REPLACE INTO reserved VALUES (?, ?, ?, ?)", rows)

    def under_way(self, holder: str) -> None:
        """The call that `holder` reserved for is being made: until it is settled it counts for the holder as well."""
        sql = "UPDATE OR REPLACE reserved SET holder = holder || ? WHERE holder = ?"
        self._db.execute(sql, (_UNDER_WAY, holder))

    def release(self, holder: str) -> None:
        """Give back what `holder` had reserved; a holder that ends in "/" stands for all that begin so."""
        if holder.endswith("/"):
            sql = "DELETE FROM reserved WHERE substr(holder, 1, ?) = ?"
            self._db.execute(sql, (len(holder), holder))
        else:
            self._db.execute("DELETE FROM reserved WHERE holder IN (?, ?)", (holder, holder + _UNDER_WAY))

    def usual_cost(self, session: str, agent: str) -> int:
        """Nano-USD that a call of this agent cost so far on the average; 0: it has made none."""
        sql = "SELECT AVG(nano) FROM calls WHERE session = ? AND agent = ?"
        return int(self._db.execute(sql, (session, agent)).fetchone()[0] or 0)

    def dearest_call(self, session: str) -> int:
        """Nano-USD of the session's dearest call so far."""
        sql = "SELECT MAX(nano) FROM calls WHERE session = ?"
        return int(self._db.execute(sql, (session,)).fetchone()[0] or 0)

    def tell_once(self, what: str, now_us: int) -> bool:
        """Whether `what` was never told before; it is from now on."""
        return bool(self._db.execute("INSERT OR IGNORE INTO told VALUES (?, ?)", (what, now_us)).rowcount)

    def calls_since_refused(self, what: str, session: str, agent: str, now_us: int) -> int:
        """How many calls the agent has made since it was first refused `what`; 0: it is refused that now."""
        sql = "SELECT COUNT(*) FROM calls WHERE session = ? AND agent = ?"
        calls = int(self._db.execute(sql, (session, agent)).fetchone()[0])
        self._db.execute("INSERT OR IGNORE INTO refused VALUES (?, ?, ?)", (what, calls, now_us))
        return calls - int(self._db.execute("SELECT calls FROM refused WHERE what = ?", (what,)).fetchone()[0])

    def task(self, session: str) -> str | None:
        """The id of the task that the session works on, None where it named none."""
        row = self._db.execute("SELECT task FROM tasks WHERE session = ?", (session,)).fetchone()
        return row[0] if row else None

    def set_task(self, session: str, task: str | None, now_us: int) -> None:
        """From now on the session's calls count for `task` (None: for none)."""
        if task is None:
            self._db.execute("DELETE FROM tasks WHERE session = ?", (session,))
        else:
            self._db.execute("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?)", (session, task, now_us))

    def dearest(self, scope: str, most: int) -> list[tuple[str, int, int]]:
        """(bucket, nano-USD, calls) of the buckets of `scope` that most was spent in."""
        sql = "SELECT bucket, nano, calls FROM totals WHERE bucket >= ? AND bucket < ? AND instr(bucket, '|') = 0 "
        sql += "ORDER BY nano DESC, bucket LIMIT ?"
        return self._db.execute(sql, (scope + ":", scope + ";", most)).fetchall()

    def unpriced(self) -> list[tuple[str, int, int]]:
        """(model, calls, tokens) of the models without a price."""
        return self._db.execute("SELECT model, calls, tokens FROM unpriced ORDER BY model").fetchall()

    def sweep(self, now_us: int) -> None:
        """Drop what no period reaches back to any more; inside one_step()."""
        oldest = time.strftime("%Y-%m-%d", time.gmtime(now_us / 1e6 - _KEPT_DAYS * 86_400))
        self._db.execute("DELETE FROM reserved WHERE until_us <= ?", (now_us,))
        self._db.execute("DELETE FROM calls WHERE day < ?", (oldest,))
        month_ago = now_us - _KEPT_DAYS * 86_400_000_000
        self._db.execute("DELETE FROM told WHERE at_us < ?", (month_ago,))
        self._db.execute("DELETE FROM refused WHERE at_us < ?", (month_ago,))
        self._db.execute("DELETE FROM tasks WHERE at_us < ?", (month_ago,))


def buckets_of(when: str, session: str, agent: str, project: str | None, task: str | None) -> list[str]:
    """The buckets that a call at `when` (ISO 8601, UTC) counts in."""
    found = ["session:" + session]
    if agent:
        found.append("agent:" + agent)
    if task:
        found.append(f"task:{session}/{task}")
    periods = periods_of(when)
    found += periods.values()
    if project:
        found.append("project:" + project)
        found += [f"project:{project}|{period}" for period in periods.values()]
    return found


def periods_of(when: str) -> dict[str, str]:
    """The day, ISO week and month of `when` (ISO 8601) as the clock on the wall has it here, as buckets by scope;
    {} for what is no time."""
    import datetime

    try:
        here = datetime.datetime.fromisoformat(when).astimezone()
    except (ValueError, OverflowError, OSError):
        return {}
    year, week, _ = here.isocalendar()
    return {"day": f"day:{here:%Y-%m-%d}", "week": f"week:{year}-W{week:02}", "month": f"month:{here:%Y-%m}"}


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_ino
