"""Every call that a transcript ever told of, each message id once: `H/state/cost/calls.sqlite3`.

What was spent stays spent: the client deletes its transcripts after a while, the rows here stay. A file that is damaged
is set aside and built anew from the transcripts that are left. Prices are not in it: a call is priced when it is asked.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.errors import LevaithanError
from levaithan.hot.usage import Call, Tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from levaithan.hot.paths import Home

FILE = "cost/calls.sqlite3"
VERSION = 1
BUSY_S = 30.0
CHECKED_BYTES = 64 << 20
"""A file up to this size is checked whole when it is opened (a second at most)."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""What SQLite says of a file that cannot be read by anybody any more (the last of a format it does not know)."""
_SCHEMA = """
CREATE TABLE calls (message_id TEXT PRIMARY KEY, model TEXT NOT NULL, session_id TEXT NOT NULL, agent_id TEXT NOT NULL,
  time TEXT NOT NULL, mode TEXT NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL, cache_read INTEGER NOT NULL,
  cache_write_5m INTEGER NOT NULL, cache_write_1h INTEGER NOT NULL, web_search INTEGER NOT NULL, at_us INTEGER,
  path TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX calls_at ON calls (at_us);
CREATE INDEX calls_session ON calls (session_id);
CREATE TABLE files (path TEXT PRIMARY KEY, place TEXT NOT NULL, skipped INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (session_id TEXT PRIMARY KEY, project TEXT, client TEXT, client_until TEXT NOT NULL DEFAULT '')
  WITHOUT ROWID;
CREATE TABLE agents (agent_id TEXT PRIMARY KEY, agent_type TEXT) WITHOUT ROWID;
PRAGMA user_version = 1;
"""
_TOKENS = "{0}.input + {0}.output + {0}.cache_read + {0}.cache_write_5m + {0}.cache_write_1h"
_COUNTS = ["model", "mode", "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_search", "path"]
_TOKEN_COUNTS = _COUNTS[2:7]
_SAME = "CASE WHEN calls.path = excluded.path THEN excluded.{0} ELSE calls.{0} END"
_PUT = (
    f"INSERT INTO calls VALUES ({', '.join('?' * 14)}) ON CONFLICT (message_id) DO UPDATE SET "  # noqa: S608 - own text
    + ", ".join(f"{name} = excluded.{name}" for name in _COUNTS)
    + f", time = {_SAME.format('time')}, at_us = {_SAME.format('at_us')} "
    + f"WHERE calls.path = excluded.path OR {_TOKENS.format('excluded')} > {_TOKENS.format('calls')}"
)
"""In one file the last line counts; of copies in several the fullest, and the call stays with whose it was first."""
_COLUMNS = ", ".join(f"c.{name}" for name in Call.__slots__)
_GET = f"SELECT {_COLUMNS}, c.at_us, s.project, a.agent_type FROM calls c "  # noqa: S608 - own text
_GET += "LEFT JOIN sessions s ON s.session_id = c.session_id LEFT JOIN agents a ON a.agent_id = c.agent_id "


class CostFileProblem(LevaithanError):  # noqa: N818 - named for people, as all errors are
    """The record of calls in {path} cannot be used: {reason}."""

    code = "cost_file"
    fix = (
        "see that its folder is yours to write and its disk has room; a damaged file may be moved away: it is made anew"
    )


class Known:
    """A call with what is known around it. at_us: microseconds since 1970, None where the transcript said none."""

    __slots__ = ("agent_type", "at_us", "call", "project")

    def __init__(self, call: Call, at_us: int | None, project: str | None, agent_type: str | None) -> None:
        self.call = call
        self.at_us = at_us
        self.project = project
        self.agent_type = agent_type


class Calls:
    """The file, open. `found`: what was met when it was opened, in words, or ""."""

    def __init__(self, path: Path, connection: sqlite3.Connection, found: str) -> None:
        self.path = path
        self.found = found
        self._connection = connection

    def tail(self, path: str) -> Tail:
        """A reader of the transcript at `path`, which goes on where the last one ended."""
        row = self._connection.execute("SELECT place FROM files WHERE path = ?", (_plain(path),)).fetchone()
        return Tail(path, *json.loads(row[0])) if row else Tail(path)

    def put(self, tail: Tail, session_id: str) -> None:
        """Keep what `tail` read for the session, and how far it is, both or neither. Empties `tail.calls`."""
        path = _plain(tail.path)
        with self._connection:
            self._connection.executemany(_PUT, (_values(call, session_id, path) for call in tail.calls.values()))
            self._connection.execute(
                "INSERT INTO files VALUES (?, ?, ?) ON CONFLICT (path) DO UPDATE SET place = excluded.place, "
                "skipped = files.skipped + excluded.skipped",
                (path, json.dumps(tail.place()), tail.skipped),
            )
            if tail.client is not None:
                self._connection.execute(
                    "INSERT INTO sessions (session_id, client, client_until) VALUES (?, ?, ?) ON CONFLICT (session_id) "
                    "DO UPDATE SET client = excluded.client, client_until = excluded.client_until",
                    (_plain(session_id), json.dumps(tail.client), _plain(tail.client_until)),
                )
        tail.calls.clear()
        tail.skipped = 0

    def resume(self, tail: Tail, session_id: str) -> None:
        """Give `tail` the client's sum of the session that an earlier read met, as long as it is the last line."""
        row = self._connection.execute(
            "SELECT client FROM sessions WHERE session_id = ? AND client IS NOT NULL AND client_until = ''",
            (_plain(session_id),),
        ).fetchone()
        if row:
            tail.client = json.loads(row[0])

    def name(self, projects: Iterable[tuple[str, str]], agents: Iterable[tuple[str, str]]) -> None:
        """Keep the project of sessions and the type of agents."""
        with self._connection:
            for table, column, rows in (("session", "project", projects), ("agent", "agent_type", agents)):
                self._connection.executemany(
                    f"INSERT INTO {table}s ({table}_id, {column}) VALUES (?, ?) "  # noqa: S608 - own text
                    f"ON CONFLICT ({table}_id) DO UPDATE SET {column} = excluded.{column}",
                    [(_plain(key), _plain(value)) for key, value in rows],
                )

    def projectless(self) -> set[str]:
        """The sessions with calls whose project is not known."""
        sql = "SELECT DISTINCT session_id FROM calls WHERE session_id NOT IN "
        sql += "(SELECT session_id FROM sessions WHERE project IS NOT NULL)"
        return {row[0] for row in self._connection.execute(sql)}

    def all(
        self, since_us: int | None = None, until_us: int | None = None, *, session: str | None = None,
        agent: str | None = None, project: str | None = None,
    ) -> Iterator[Known]:  # fmt: skip
        """The calls of a window (since <= at < until), in the order of their times; None = any."""
        said: list[str] = []
        values: list[object] = []
        for sql, value in (
            ("c.at_us >= ?", since_us), ("c.at_us < ?", until_us), ("c.session_id = ?", session),
            ("c.agent_id = ?", agent), ("s.project = ?", project),
        ):  # fmt: skip
            if value is not None:
                said.append(sql)
                values.append(value)
        where = "WHERE " + " AND ".join(said) if said else ""
        for row in self._connection.execute(f"{_GET}{where} ORDER BY c.at_us, c.message_id", values):
            yield Known(Call(*row[:12]), row[12], row[13], row[14])

    def grouped(self, edges: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """Sums of what is priced alike: model, mode, day, the longest prompt of the group (tokens), project, then
        tokens in, out, cache reads, writes of 5 min and of 1 h, web searches. `edges`: lengths of prompts (tokens) at
        which prices change."""
        prompt = "c.input + c.cache_read + c.cache_write_5m + c.cache_write_1h"
        above = ", ".join(f"{prompt} > {int(edge)}" for edge in edges)
        sums = ", ".join(f"sum(c.{name})" for name in (*_TOKEN_COUNTS, "web_search"))
        sql = f"SELECT c.model, c.mode, substr(c.time, 1, 10), max({prompt}), s.project, {sums} FROM calls c "  # noqa: S608 - own text
        sql += "LEFT JOIN sessions s ON s.session_id = c.session_id GROUP BY c.model, c.mode, substr(c.time, 1, 10), "
        yield from self._connection.execute(sql + "s.project" + (f", {above}" if above else ""))

    def clients(self) -> list[tuple[str, dict[str, Any], str]]:
        """The client's own sums: session, its `cost-state` line, and the time until which it goes ("" = the end)."""
        sql = "SELECT session_id, client, client_until FROM sessions WHERE client IS NOT NULL ORDER BY session_id"
        return [(row[0], json.loads(row[1]), row[2]) for row in self._connection.execute(sql)]

    def skipped(self) -> int:
        """Lines of all transcripts that could not be understood."""
        return int(self._connection.execute("SELECT coalesce(sum(skipped), 0) FROM files").fetchone()[0])


@contextmanager
def opened(home: Home) -> Iterator[Calls]:
    """The file of `home`, made when there is none, begun anew when it is damaged. Raises CostFileProblem."""
    path = Path(home.state, FILE)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(_connected(path)) as connection:
            if _usable(connection, path):
                yield Calls(path, connection, "")
                return
        aside = _set_aside(path)
        with closing(_connected(path)) as connection:
            if not _usable(connection, path):
                raise CostFileProblem(path=path, reason=f"it was damaged, is kept as {aside.name}, and is so again")
            words = f"{path} was damaged: it is kept as {aside.name} and made anew from the transcripts that are left"
            yield Calls(path, connection, words)
    except (sqlite3.Error, OSError) as error:
        raise CostFileProblem(path=path, reason=str(error)) from None


def _set_aside(path: Path) -> Path:
    """Keep the damaged file, and what was kept before: spending that no transcript tells any more is in there only."""
    aside = path.with_name(f"{path.name}.damaged")
    if aside.exists():
        aside = path.with_name(f"{aside.name}-{time.time_ns()}")
    path.replace(aside)
    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
    return aside


def _connected(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600, exist_ok=True)
    return sqlite3.connect(path, timeout=BUSY_S)


def _usable(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is whole and of this version; an empty one gets its tables."""
    try:
        version, tables = _of_one_moment(connection)
        if version == 0 and not tables:
            connection.executescript("BEGIN IMMEDIATE;" + _SCHEMA + "COMMIT;")
            return True
        if path.stat().st_size <= CHECKED_BYTES:
            return bool(version == VERSION and connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        return bool(version == VERSION)
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF  # none: words of it that are no text
        if code == sqlite3.SQLITE_ERROR and _made_by_another(connection):
            return True
        if code not in _DAMAGED:  # busy, no room, no rights: the file may be well
            raise
        return False


def _of_one_moment(connection: sqlite3.Connection) -> tuple[int, int]:
    """(version, tables). Read one after the other, a file that another process makes in between has tables and no
    version, and would pass for a damaged one."""
    connection.execute("BEGIN")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        return version, connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    finally:
        connection.rollback()


def _made_by_another(connection: sqlite3.Connection) -> bool:
    """Whether another process made the tables in the very moment that this one wanted to."""
    try:
        connection.rollback()
        return bool(connection.execute("PRAGMA user_version").fetchone()[0] == VERSION)
    except sqlite3.DatabaseError:
        return False


def _values(call: Call, session_id: str, path: str) -> list[object]:
    row: list[object] = [_plain(value) if isinstance(value, str) else value for value in call.row()]
    if not call.session_id:
        row[2] = _plain(session_id)
    return [*row, at_us(call.time), path]


def _plain(text: str) -> str:
    """`text` without what no database takes: halves of characters."""
    return text.encode("utf-8", "backslashreplace").decode()


def at_us(time: str) -> int | None:
    """The moment of a transcript's ISO time in microseconds since 1970, None for what is none."""
    try:
        moment = datetime.fromisoformat(time)
        return round(moment.timestamp() * 1_000_000) if moment.tzinfo and 1970 < moment.year < 9998 else None
    except (ValueError, OverflowError):
        return None
