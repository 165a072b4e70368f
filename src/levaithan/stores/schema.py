"""The ledger's tables: one MetaData for SQLite and Postgres. Imports SQLAlchemy, so the read path does not import it.

Times are integer microseconds since 1970, UTC. There are no foreign keys, by design: the journal is the truth,
its records may arrive late or wait as dead letters, and a child that is there before its parent is normal.
An index is here only when a question needs it; docs/explanation/projection.md says what each costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    case,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy import table as table_of
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.elements import ColumnElement

from levaithan.stores import rollups as of_rollups
from levaithan.stores.versions import HEAD

__all__ = ["HEAD", "METADATA", "TABLES", "Upsert", "upsert_sql"]

METADATA = MetaData()


def _text(name: str, **more: Any) -> Column[Any]:
    return Column(name, Text, **more)


def _big(name: str, **more: Any) -> Column[Any]:
    return Column(name, BigInteger, **more)


def _flag(name: str) -> Column[Any]:
    return Column(name, Integer, nullable=False, server_default="0")


events = Table(
    "events", METADATA,
    _text("id", primary_key=True), _big("seq", nullable=False), _text("journal", nullable=False),
    _text("hash", nullable=False), _big("at_us", nullable=False), _text("event", nullable=False),
    _text("session_id"), _text("agent_id"), _text("agent_type"), _text("prompt_id"), _text("tool_name"),
    _text("tool_use_id"), _text("decision"), _text("rule"), _text("reason"), _text("hook"), _big("duration_us"),
    _text("path"), _text("client_version"), _text("project"), _text("cwd"), _text("permission_mode"),
    _text("machine"), _flag("canary"), _flag("sanitized"), _text("body", nullable=False),
)  # fmt: skip
Index("ix_events_at", events.c.at_us)
Index("ix_events_seq", events.c.seq)
Index("ix_events_tool", events.c.tool_name, events.c.at_us, sqlite_where=events.c.tool_name.is_not(None),
      postgresql_where=events.c.tool_name.is_not(None))  # fmt: skip
Index("ix_events_session", events.c.session_id, events.c.at_us)
_not_allowed = events.c.decision != literal_column("'allow'")
Index("ix_events_event", events.c.event, events.c.at_us)
Index("ix_events_rule", events.c.rule, events.c.at_us, sqlite_where=events.c.rule.is_not(None),
      postgresql_where=events.c.rule.is_not(None))  # fmt: skip
Index("ix_events_not_allowed", events.c.at_us, sqlite_where=_not_allowed, postgresql_where=_not_allowed)

journal_notes = Table(
    "journal_notes", METADATA,
    _text("journal", primary_key=True), _big("seq", primary_key=True, autoincrement=False),
    _text("hash", nullable=False), _text("kind", nullable=False), _big("at_us"), _text("body", nullable=False),
)  # fmt: skip

Index("ix_journal_notes_kind", journal_notes.c.kind, journal_notes.c.at_us)

checkpoints = Table(
    "checkpoints", METADATA,
    _text("journal", primary_key=True), _big("seq", primary_key=True, autoincrement=False),
    _text("hash", nullable=False), _big("at_us"), _big("size"), _text("head"), _text("key_id"), _text("signature"),
    _text("body", nullable=False),
)  # fmt: skip

sessions = Table(
    "sessions", METADATA,
    _text("session_id", primary_key=True), _big("first_us", nullable=False), _big("last_us", nullable=False),
    _big("turn_us"), _big("started_us"), _text("source"), _big("ended_us"), _text("end_reason"), _big("model_us"),
    _text("model"), _text("project"), _text("client_version"), _text("machine"), _flag("canary"),
    _text("transcript_path"), sqlite_with_rowid=False,
)  # fmt: skip
Index("ix_sessions_last", sessions.c.last_us)

agents = Table(
    "agents", METADATA,
    _text("session_id", primary_key=True), _text("agent_id", primary_key=True), _text("agent_type"),
    _big("first_us", nullable=False), _big("last_us", nullable=False), _big("started_us"), _big("stopped_us"),
    _text("transcript_path"), sqlite_with_rowid=False,
)  # fmt: skip
Index("ix_agents_agent", agents.c.agent_id)

tool_calls = Table(
    "tool_calls", METADATA,
    _text("tool_use_id", primary_key=True), _text("session_id"), _text("agent_id"), _text("tool_name"),
    _big("pre_us"), _text("pre_event"), _big("end_us"), _text("end_event"), _text("outcome"), _text("decision"),
    _big("duration_us"),
)  # fmt: skip
_no_pre = tool_calls.c.pre_us.is_(None)
Index("ix_tool_calls_no_pre", tool_calls.c.end_us, sqlite_where=_no_pre, postgresql_where=_no_pre)

decisions = Table(
    "decisions", METADATA,
    _text("event_id", primary_key=True), Column("position", Integer, primary_key=True, autoincrement=False),
    _big("at_us", nullable=False), _text("hook"), _text("decision"), _text("rule"), _text("reason"),
    _big("duration_us"), _text("error"), sqlite_with_rowid=False,
)  # fmt: skip

prompts = Table(
    "prompts", METADATA,
    _text("event_id", primary_key=True), _big("at_us", nullable=False), _text("session_id"), _text("agent_id"),
    _text("prompt_id"), _text("text"),
)  # fmt: skip
Index("ix_prompts_session", prompts.c.session_id, prompts.c.at_us)

dead_letters = Table(
    "dead_letters", METADATA,
    _text("store", primary_key=True), _text("journal", primary_key=True), _text("segment", primary_key=True),
    _big("offset", primary_key=True, autoincrement=False), _big("seq"), _text("id"),
    _text("reason", nullable=False), Column("attempts", Integer, nullable=False), _big("first_us", nullable=False),
    _big("last_us", nullable=False),
    _text("tool_use_id"),
)  # fmt: skip

cursors = Table(
    "cursors", METADATA,
    _text("store", primary_key=True), _text("journal", primary_key=True), _text("segment", nullable=False),
    _big("offset", nullable=False), _big("seq", nullable=False), _text("hash", nullable=False),
    _big("updated_us", nullable=False),
)  # fmt: skip

machines = Table(
    "machines", METADATA,
    _text("machine", primary_key=True), _text("journal", primary_key=True), _big("first_us", nullable=False),
    _big("last_us", nullable=False), _big("newest_us", nullable=False), _big("skew_us"), _text("version"),
)  # fmt: skip

clock_skews = Table(
    "clock_skews", METADATA,
    _text("journal", primary_key=True), _big("from_seq", primary_key=True, autoincrement=False),
    _big("skew_us", nullable=False), _big("oldest_us", nullable=False), _big("newest_us", nullable=False),
)  # fmt: skip

rollups = Table(
    "rollups",
    METADATA,
    _big("hour_us", primary_key=True, autoincrement=False),
    *(_text(name, primary_key=True) for name in of_rollups.NAMES),
    *(_big(name, nullable=False, server_default="0") for name in of_rollups.MEASURES),
    sqlite_with_rowid=False,
)

schema_version = Table("schema_version", METADATA, _text("version_num", primary_key=True))

TABLES = METADATA.tables
COUNTED = ("events", "journal_notes", "checkpoints", "sessions", "agents", "tool_calls", "decisions", "prompts",
           "cursors", "dead_letters")  # fmt: skip
"""The tables whose rows are counted before and after a migration."""


class Upsert:
    """How a row that is already there takes a newer one: by column, `least`, `greatest`, or with a leading column.

    `beside` maps a column to (its leading column, "least" | "greatest"): it changes exactly when the leader does.
    """

    def __init__(self, least: tuple[str, ...], greatest: tuple[str, ...], beside: dict[str, tuple[str, str]]) -> None:
        self.least = least
        self.greatest = greatest
        self.beside = beside


UPSERTS: dict[str, Upsert] = {
    "sessions": Upsert(
        ("first_us", "turn_us", "project", "machine", "transcript_path", "started_us"),
        ("last_us", "client_version", "canary", "ended_us", "model_us"),
        {"source": ("started_us", "least"), "end_reason": ("ended_us", "greatest"), "model": ("model_us", "greatest")},
    ),
    "agents": Upsert(
        ("agent_type", "first_us", "started_us", "transcript_path"), ("last_us", "stopped_us"), {},
    ),
    "tool_calls": Upsert(
        ("session_id", "agent_id", "tool_name", "pre_us", "pre_event"),
        ("end_us", "end_event", "outcome", "decision", "duration_us"), {},
    ),
}  # fmt: skip


def upsert_sql(name: str, dialect: Dialect) -> str:
    """INSERT ... ON CONFLICT of the table `name` with positional parameters in column order, for `dialect`."""
    table = TABLES[name]
    make: Any = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
    insert = make(table).values({one.name: None for one in table.columns})
    keys = list(table.primary_key.columns)
    rule = UPSERTS.get(name)
    if rule is None:
        insert = insert.on_conflict_do_nothing(index_elements=keys)
    else:
        insert = insert.on_conflict_do_update(index_elements=keys, set_=_set(table, insert.excluded, rule, dialect))
    return str(insert.compile(dialect=dialect, column_keys=[one.name for one in table.columns]))


def merge_sql(name: str, source: str, dialect: Dialect) -> str:
    """INSERT INTO `name` SELECT ... FROM the table `source` of the same columns, in the order of the keys, with the
    same ON CONFLICT as `upsert_sql`. Two writers then lock rows in one order."""
    table = TABLES[name]
    make: Any = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
    fresh = table_of(source, *(column(one.name) for one in table.columns))
    keys = list(table.primary_key.columns)
    rows = select(*fresh.columns).order_by(*(fresh.c[one.name] for one in keys))
    insert = make(table).from_select([one.name for one in table.columns], rows)
    rule = UPSERTS.get(name)
    if rule is None:
        insert = insert.on_conflict_do_nothing(index_elements=keys)
    else:
        insert = insert.on_conflict_do_update(index_elements=keys, set_=_set(table, insert.excluded, rule, dialect))
    return str(insert.compile(dialect=dialect))


def _set(table: Table, new: Any, rule: Upsert, dialect: Dialect) -> dict[str, ColumnElement[Any]]:
    least, greatest = (func.min, func.max) if dialect.name == "sqlite" else (func.least, func.greatest)
    changes: dict[str, Any] = {}
    for names, choose in ((rule.least, least), (rule.greatest, greatest)):
        for name in names:
            old, fresh = table.c[name], new[name]
            # SQLite's min(NULL, x) is NULL, Postgres' LEAST leaves NULL out: spelt so that both do the latter.
            changes[name] = choose(func.coalesce(old, fresh), func.coalesce(fresh, old))
    for name, (leader, way) in rule.beside.items():
        old, fresh = table.c[leader], new[leader]
        wins = fresh < old if way == "least" else fresh > old
        changes[name] = case((fresh.is_not(None) & (old.is_(None) | wins), new[name]), else_=table.c[name])
    return changes
