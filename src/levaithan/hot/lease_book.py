"""Who holds which file, as rows: `state/leases.sqlite`. Times in microseconds. Standard library only."""

from __future__ import annotations

from levaithan.hot.database import Database
from levaithan.hot.leases import FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    from levaithan.hot.paths import Home

    Made = TypeVar("Made")
    Lease = dict[str, Any]

SCHEMA = 2
_TABLES = """
CREATE TABLE IF NOT EXISTS leases (path TEXT PRIMARY KEY, session TEXT, agent TEXT, project TEXT, since_us INTEGER,
    until_us INTEGER, fence INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS leases_by_session ON leases (session);
CREATE TABLE IF NOT EXISTS waiting (path TEXT, session TEXT, since_us INTEGER, PRIMARY KEY (path, session))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS handed (path TEXT PRIMARY KEY, session TEXT, fence INTEGER, run TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fences (last INTEGER);
INSERT INTO fences SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM fences);
"""
_NAMES = ("path", "session", "agent", "project", "since_us", "until_us", "fence")
_ALL = f"SELECT {', '.join(_NAMES)} FROM leases "  # noqa: S608 - names of our own
_ANY = "SELECT EXISTS (SELECT 1 FROM leases WHERE until_us <= ? OR until_us > ?), EXISTS (SELECT 1 FROM waiting)"
_WAITS_US = 15 * 60 * 1_000_000
"""How long a session that was refused is said to wait, when it does not ask again."""


class Book:
    """The leases of one home. Raises sqlite3.Error and OSError where they cannot be had."""

    def __init__(self, home: Home) -> None:
        self._db = Database(home.state + FILE, _TABLES, SCHEMA)
        self._waited = True

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def one_step(self, work: Callable[[], Made]) -> Made:
        """What `work` makes of the book, as one step."""
        return self._db.one_step(work)

    @property
    def gone(self) -> bool:
        """Whether the next step begins with another file, since this one is no longer the home's."""
        return self._db.gone

    def of(self, path: str) -> Lease | None:
        """The lease on `path`, over or not."""
        row = self._db.execute(_ALL + "WHERE path = ?", (path,)).fetchone()
        return dict(zip(_NAMES, row, strict=True)) if row else None

    def every(self, now: int) -> list[Lease]:
        """The leases in force, by path, each with `waiting`: {session: since_us}."""
        rows = self._db.execute(_ALL + "WHERE until_us > ? ORDER BY path", (now,)).fetchall()
        found = [{**dict(zip(_NAMES, row, strict=True)), "waiting": {}} for row in rows]
        for path, session, since in self._db.execute("SELECT path, session, since_us FROM waiting"):
            for lease in found:
                if lease["path"] == path:
                    lease["waiting"][session] = since
        return found

    def take(self, path: str, holder: Lease, until: int, least: int = 0) -> int:
        """Hold `path` for `holder` (session, agent, project, since_us) until then; its new fencing token, at least
        `least`."""
        self._db.execute("UPDATE fences SET last = MAX(last + 1, ?)", (least,))
        fence = int(self._db.execute("SELECT last FROM fences").fetchone()[0])
        row = (path, holder["session"], holder["agent"], holder["project"], holder["since_us"], until, fence)
        self._db.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        if self._waited:
            self._db.execute("DELETE FROM waiting WHERE path = ? AND session = ?", (path, holder["session"]))
        return fence

    def prolong(self, session: str, now: int, until: int, paths: Sequence[str] | None = None) -> None:
        """What `session` holds (of `paths`, or all that is in force) is held until then."""
        if paths is None:
            self._db.execute("UPDATE leases SET until_us = ? WHERE session = ? AND until_us > ?", (until, session, now))
        else:
            rows = [(until, session, path) for path in paths]
            self._db.executemany("UPDATE leases SET until_us = ? WHERE session = ? AND path = ?", rows)

    def soonest(self, session: str, now: int) -> int | None:
        """When the first lease of `session` ends, None where it holds none."""
        sql = "SELECT MIN(until_us) FROM leases WHERE session = ? AND until_us > ?"
        found: int | None = self._db.execute(sql, (session, now)).fetchone()[0]
        return found

    def last_fence(self) -> int:
        """The highest fencing token so far."""
        return int(self._db.execute("SELECT last FROM fences").fetchone()[0])

    def wait(self, path: str, session: str, now: int) -> int:
        """Since when `session` waits for `path`: from now on, if it did not."""
        self._db.execute("INSERT OR IGNORE INTO waiting VALUES (?, ?, ?)", (path, session, now))
        sql = "SELECT since_us FROM waiting WHERE path = ? AND session = ?"
        return int(self._db.execute(sql, (path, session)).fetchone()[0])

    def hand(self, lease: Lease, holder: Lease, until: int, run: str) -> int | None:
        """`lease` becomes that of `holder` (session, agent, project, since_us) until then, where it still is the one
        with that token: the new token, or None. Its session is told by which `run` when it asks for the file again."""
        held = self.of(lease["path"])
        if held is None or held["fence"] != lease["fence"]:
            return None
        fence = self.take(lease["path"], holder, until, lease["fence"] + 1)
        self._db.execute("DELETE FROM waiting WHERE path = ? AND session = ?", (lease["path"], holder["session"]))
        self._db.execute("DELETE FROM handed WHERE path NOT IN (SELECT path FROM leases)")
        row = (lease["path"], lease["session"], fence, run)
        self._db.execute("INSERT OR REPLACE INTO handed VALUES (?, ?, ?, ?)", row)
        return fence

    def handed_by(self, held: Lease, session: str) -> str:
        """The run that took the lease `held` from `session`; "" for none."""
        sql = "SELECT run FROM handed WHERE path = ? AND session = ? AND fence = ?"
        row = self._db.execute(sql, (held["path"], session, held["fence"])).fetchone()
        return str(row[0]) if row else ""

    def busy(self, session: str) -> bool:
        """Whether `session` holds or waits for anything."""
        sql = "SELECT session FROM leases WHERE session = ? UNION SELECT session FROM waiting WHERE session = ?"
        return self._db.execute(sql, (session, session)).fetchone() is not None

    def drop_all(self, taken: Sequence[tuple[str, int]]) -> None:
        """End the leases on these paths, where they still are those with these tokens."""
        self._db.executemany("DELETE FROM leases WHERE path = ? AND fence = ?", taken)

    def leave(self, session: str) -> None:
        """`session` holds nothing and waits for nothing any more."""
        self._db.execute("DELETE FROM leases WHERE session = ?", (session,))
        self._db.execute("DELETE FROM waiting WHERE session = ?", (session,))

    def reap(self, now: int, expires: int) -> None:
        """Drop what is over; what ends later than it could (the clock was ahead) ends after `expires` from now.

        One question tells whether there is anything of that: mostly there is not. Before `take`, in the same step.
        """
        over, waited = self._db.execute(_ANY, (now, now + expires)).fetchone()
        self._waited = bool(waited)
        if over:
            self._db.execute("DELETE FROM leases WHERE until_us <= ?", (now,))
            self._db.execute("UPDATE leases SET until_us = ? WHERE until_us > ?", (now + expires, now + expires))
        if waited:
            old = "DELETE FROM waiting WHERE since_us <= ? OR path NOT IN (SELECT path FROM leases)"
            self._db.execute(old, (now - _WAITS_US,))
