"""Several journals in one ledger: places and dead letters per journal, machines, hourly sums; events by month.

On Postgres every text compares by code point (collation "C"), as it does in SQLite: LEAST and ORDER BY would otherwise
depend on the database's language.
"""
# Names and numbers below are this file's own: no value of anybody else gets into a statement.
# ruff: noqa: S608

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KEYED = {"cursors": ("store", "journal"), "dead_letters": ("store", "journal", "segment", '"offset"')}
_NAMES = ("journal", "project", "tool_name", "event", "decision", "model")
_CELLS = tuple(64 * 4**power for power in range(12))
_COUNTS = ("events", "denials", "calls")
_MEASURES = tuple(
    f"{kind}_{name}" for kind in ("hook", "tool")
    for name in ("count", "us", "max_us", *(f"h{cell:02d}" for cell in range(len(_CELLS) + 1)))
)  # fmt: skip
_MOST = 1_000_000_000_000


def upgrade() -> None:
    """Change the keys, add the tables, and count what is there already."""
    postgres = op.get_bind().dialect.name == "postgresql"
    if postgres:
        for table, keys in _KEYED.items():
            op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, ADD PRIMARY KEY ({', '.join(keys)})")
    else:
        _keyed_by_journal()
    op.create_table(
        "machines",
        sa.Column("machine", sa.Text, primary_key=True),
        sa.Column("journal", sa.Text, primary_key=True),
        sa.Column("first_us", sa.BigInteger, nullable=False),
        sa.Column("last_us", sa.BigInteger, nullable=False),
        sa.Column("newest_us", sa.BigInteger, nullable=False),
        sa.Column("skew_us", sa.BigInteger),
        sa.Column("version", sa.Text),
    )
    op.create_table(
        "rollups",
        sa.Column("hour_us", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, primary_key=True) for name in _NAMES),
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in (*_COUNTS, *_MEASURES)),
        sqlite_with_rowid=False,
    )
    if postgres:
        _by_code_point()
        _by_month()
    _count()


def _keyed_by_journal() -> None:
    """SQLite changes no key: the table is made again."""
    big, text = sa.BigInteger, sa.Text
    places = [sa.Column(name, text, nullable=False) for name in ("segment", "hash")]
    numbers = [sa.Column(name, big, nullable=False) for name in ("offset", "seq", "updated_us")]
    keys = [sa.Column(name, text, primary_key=True) for name in ("store", "journal")]
    op.create_table("cursors_0003", *keys, places[0], *numbers[:2], places[1], numbers[2])
    op.create_table(
        "dead_letters_0003",
        *(sa.Column(name, text, primary_key=True) for name in ("store", "journal", "segment")),
        sa.Column("offset", big, primary_key=True, autoincrement=False),
        sa.Column("seq", big),
        sa.Column("id", text),
        sa.Column("reason", text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("first_us", big, nullable=False),
        sa.Column("last_us", big, nullable=False),
        sa.Column("tool_use_id", text),
    )
    for table, columns in {
        "cursors": 'store, journal, segment, "offset", seq, hash, updated_us',
        "dead_letters": 'store, journal, segment, "offset", seq, id, reason, attempts, first_us, last_us, tool_use_id',
    }.items():
        op.execute(f"INSERT INTO {table}_0003 ({columns}) SELECT {columns} FROM {table}")
        op.drop_table(table)
        op.rename_table(f"{table}_0003", table)


def _by_code_point() -> None:
    """All text of all tables but events, which is made again, and Alembic's own."""
    link = op.get_bind()
    found = link.execute(
        sa.text(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() "
            "AND data_type = 'text' AND table_name != 'events' ORDER BY 1, 2"
        )
    ).all()
    ours = {"agents", "checkpoints", "cursors", "dead_letters", "decisions", "journal_notes", "machines", "prompts",
            "rollups", "sessions", "tool_calls"}  # fmt: skip
    changes: dict[str, list[str]] = {}
    for table, column in found:
        if table in ours:
            changes.setdefault(table, []).append(f'ALTER COLUMN "{column}" TYPE text COLLATE "C"')
    for table, some in changes.items():
        op.execute(f"ALTER TABLE {table} {', '.join(some)}")


def _by_month() -> None:
    link = op.get_bind()
    schema = link.execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
    parts = Path(__file__).with_name("v0003_events_by_month.sql").read_text(encoding="utf-8").split("\n-- next\n")
    for part in parts:
        link.exec_driver_sql(part.replace("OUR_SCHEMA", schema).replace("%", "%%"))
    months = "SELECT DISTINCT at_us / 86400000000 FROM events_0002 ORDER BY 1"
    for (day,) in link.exec_driver_sql(months).all():
        link.execute(sa.text("SELECT levaithan_make_month(:at)"), {"at": day * 86_400_000_000})
    columns = (
        "id, seq, journal, hash, at_us, event, session_id, agent_id, agent_type, prompt_id, tool_name, tool_use_id, "
        "decision, rule, reason, hook, duration_us, path, client_version, project, cwd, permission_mode, machine, "
        "canary, sanitized, body"
    )
    link.exec_driver_sql(f"INSERT INTO events ({columns}) SELECT {columns} FROM events_0002 ORDER BY at_us")
    link.exec_driver_sql("DROP TABLE events_0002")


def _count() -> None:
    """The sums of what was there before there were sums."""
    sums: list[str] = []
    for duration in ("e.duration_us", "t.duration_us"):
        bounded = f"CASE WHEN {duration} > {_MOST} THEN {_MOST} ELSE {duration} END"
        sums += [f"count({duration})", f"coalesce(sum({bounded}), 0)", f"coalesce(max({bounded}), 0)"]
        edges = (None, *_CELLS, None)
        for low, high in pairwise(edges):
            said = [f"{duration} >= {low}"] * (low is not None) + [f"{duration} < {high}"] * (high is not None)
            sums.append(f"count(*) FILTER (WHERE {' AND '.join(said)})")
    op.execute(
        f"INSERT INTO rollups (hour_us, {', '.join((*_NAMES, *_COUNTS, *_MEASURES))}) SELECT e.at_us - e.at_us % "
        "3600000000, e.journal, coalesce(e.project, ''), coalesce(e.tool_name, ''), e.event, coalesce(e.decision, ''), "
        "coalesce(s.model, ''), count(*), count(*) FILTER (WHERE e.decision IN ('deny', 'halt')), "
        f"count(*) FILTER (WHERE e.event = 'PreToolUse'), {', '.join(sums)} FROM events e "
        "LEFT JOIN sessions s ON s.session_id = e.session_id "
        "LEFT JOIN tool_calls t ON t.tool_use_id = e.tool_use_id AND t.end_event = e.id "
        "WHERE e.canary = 0 GROUP BY 1, 2, 3, 4, 5, 6, 7"
    )


def downgrade() -> None:
    """Not offered: the older keys cannot hold two journals."""
    raise RuntimeError("schema 0003 cannot be taken back: restore the copy that was made before")
