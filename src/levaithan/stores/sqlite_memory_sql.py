"""The statements of the memory in SQLite. Fixed texts and named parameters only; a filter adds fixed conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from levaithan.stores.roles.memory import MemoryFilters

SCHEMA = (
    "CREATE TABLE memories (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL, "
    "kind TEXT NOT NULL, at_us INTEGER NOT NULL, session TEXT NOT NULL, agent TEXT NOT NULL, project TEXT NOT NULL, "
    "machine TEXT NOT NULL, length INTEGER NOT NULL, text TEXT NOT NULL)",
    "CREATE TABLE vectors (number INTEGER PRIMARY KEY, vector BLOB NOT NULL)",
    "CREATE INDEX ix_memories_seq ON memories (seq)",
    "CREATE INDEX ix_memories_session ON memories (session)",
    "CREATE INDEX ix_memories_project ON memories (project)",
    "CREATE VIRTUAL TABLE words USING fts5(text, content='memories', content_rowid='number', "
    "tokenize='unicode61 remove_diacritics 2')",
    "CREATE TABLE forgotten (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, session TEXT NOT NULL, "
    "until_us INTEGER NOT NULL)",
    "CREATE TABLE model (name TEXT NOT NULL, dimension INTEGER NOT NULL)",
)
"""The vectors stand apart: a search reads all of them and the texts of the few that it finds."""
FIELDS = "id, kind, at_us, text, length, session, agent, project, machine"
GET = f"SELECT {FIELDS} FROM memories WHERE id = :id"  # noqa: S608 - own words
PRINTS = (
    "SELECT seq, coalesce((SELECT length(vector) FROM vectors v WHERE v.number = m.number), 0) = :size, "  # noqa: S608
    f"{FIELDS} FROM memories m WHERE seq BETWEEN :first AND :last"
)
GONE = "SELECT seq, id, 'forget', until_us, session FROM forgotten WHERE seq BETWEEN :first AND :last"
PUT = (
    "INSERT INTO memories (number, seq, id, kind, at_us, text, length, session, agent, project, machine) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
UNWORD = (
    "INSERT INTO words (words, rowid, text) SELECT 'delete', number, text FROM memories "
    "WHERE session = :session AND seq < :before"
)
UNVECTOR = (
    "DELETE FROM vectors WHERE number IN (SELECT number FROM memories WHERE session = :session AND seq < :before)"
)
REMOVE = "DELETE FROM memories WHERE session = :session AND seq < :before"
_PAGE = (
    "SELECT m.number, v.vector FROM memories m CROSS JOIN vectors v ON v.number = m.number "
    "WHERE m.number < :below {where}ORDER BY m.number DESC LIMIT :page"
)
_WORDS = (
    "SELECT m.number FROM words w CROSS JOIN memories m ON m.number = w.rowid WHERE words MATCH :match {where}"
    "ORDER BY w.rank LIMIT :most"
)
_KINDS = "SELECT m.kind, count(*) FROM memories m WHERE 1 {where}GROUP BY m.kind ORDER BY m.kind"
_CONDITIONS = {
    "project": "m.project = :project", "session": "m.session = :session", "kind": "m.kind = :kind",
    "since_us": "m.at_us >= :since_us", "until_us": "m.at_us < :until_us",
}  # fmt: skip


def page(filters: MemoryFilters) -> tuple[str, dict[str, Any]]:
    """Numbers and vectors below the number `below`, the newest first, at most `page`; and the filters' parameters."""
    where, values = _where(filters)
    return _PAGE.format(where=where), values


def words(filters: MemoryFilters) -> tuple[str, dict[str, Any]]:
    """The numbers of what matches `match`, the best first, at most `most`; and the filters' parameters."""
    where, values = _where(filters)
    return _WORDS.format(where=where), values


def kinds(filters: MemoryFilters) -> tuple[str, dict[str, Any]]:
    """(kind, how many) of what the filters leave, and their parameters."""
    where, values = _where(filters)
    return _KINDS.format(where=where), values


def numbered(what: str, count: int) -> str:
    """`what` (columns and table) for `count` numbers, n0, n1 and so on."""
    names = ", ".join(f":n{number}" for number in range(count))
    return f"SELECT {what} WHERE number IN ({names})"


def known(count: int) -> str:
    """Which of `count` ids are there already."""
    return f"SELECT id FROM memories WHERE id IN ({', '.join('?' * count)})"  # noqa: S608 - own words


def made_by(name: str, dimension: int) -> str:
    """Writes down which model, one of ours, makes the vectors."""
    return f"INSERT INTO model VALUES ('{name}', {dimension})"  # noqa: S608 - own words


def _where(filters: MemoryFilters) -> tuple[str, dict[str, Any]]:
    values = {name: value for name in _CONDITIONS if (value := getattr(filters, name)) is not None}
    return "".join(f"AND {_CONDITIONS[name]} " for name in values), values
