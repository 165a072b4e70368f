"""The ledger: events, what is derived from them, dead letters and cursors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "agents",
        sa.Column("session_id", sa.Text, primary_key=True),
        sa.Column("agent_id", sa.Text, primary_key=True),
        sa.Column("agent_type", sa.Text),
        sa.Column("first_us", sa.BigInteger, nullable=False),
        sa.Column("last_us", sa.BigInteger, nullable=False),
        sa.Column("started_us", sa.BigInteger),
        sa.Column("stopped_us", sa.BigInteger),
        sa.Column("transcript_path", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "checkpoints",
        sa.Column("journal", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger),
        sa.Column("size", sa.BigInteger),
        sa.Column("head", sa.Text),
        sa.Column("key_id", sa.Text),
        sa.Column("signature", sa.Text),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "cursors",
        sa.Column("store", sa.Text, primary_key=True),
        sa.Column("journal", sa.Text, nullable=False),
        sa.Column("segment", sa.Text, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("updated_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "dead_letters",
        sa.Column("store", sa.Text, primary_key=True),
        sa.Column("segment", sa.Text, primary_key=True),
        sa.Column("offset", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("journal", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger),
        sa.Column("id", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("first_us", sa.BigInteger, nullable=False),
        sa.Column("last_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "decisions",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("hook", sa.Text),
        sa.Column("decision", sa.Text),
        sa.Column("rule", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("duration_us", sa.BigInteger),
        sa.Column("error", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("journal", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text),
        sa.Column("agent_id", sa.Text),
        sa.Column("agent_type", sa.Text),
        sa.Column("prompt_id", sa.Text),
        sa.Column("tool_name", sa.Text),
        sa.Column("tool_use_id", sa.Text),
        sa.Column("decision", sa.Text),
        sa.Column("rule", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("hook", sa.Text),
        sa.Column("duration_us", sa.BigInteger),
        sa.Column("path", sa.Text),
        sa.Column("client_version", sa.Text),
        sa.Column("project", sa.Text),
        sa.Column("cwd", sa.Text),
        sa.Column("permission_mode", sa.Text),
        sa.Column("machine", sa.Text),
        sa.Column("canary", sa.Integer, nullable=False, server_default="0"),
        sa.Column("sanitized", sa.Integer, nullable=False, server_default="0"),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "journal_notes",
        sa.Column("journal", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "prompts",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("session_id", sa.Text),
        sa.Column("agent_id", sa.Text),
        sa.Column("prompt_id", sa.Text),
        sa.Column("text", sa.Text),
    )
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.Text, primary_key=True),
        sa.Column("first_us", sa.BigInteger, nullable=False),
        sa.Column("last_us", sa.BigInteger, nullable=False),
        sa.Column("turn_us", sa.BigInteger),
        sa.Column("started_us", sa.BigInteger),
        sa.Column("source", sa.Text),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("end_reason", sa.Text),
        sa.Column("model_us", sa.BigInteger),
        sa.Column("model", sa.Text),
        sa.Column("project", sa.Text),
        sa.Column("client_version", sa.Text),
        sa.Column("machine", sa.Text),
        sa.Column("canary", sa.Integer, nullable=False, server_default="0"),
        sa.Column("transcript_path", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tool_calls",
        sa.Column("tool_use_id", sa.Text, primary_key=True),
        sa.Column("session_id", sa.Text),
        sa.Column("agent_id", sa.Text),
        sa.Column("tool_name", sa.Text),
        sa.Column("pre_us", sa.BigInteger),
        sa.Column("pre_event", sa.Text),
        sa.Column("end_us", sa.BigInteger),
        sa.Column("end_event", sa.Text),
        sa.Column("outcome", sa.Text),
        sa.Column("decision", sa.Text),
        sa.Column("duration_us", sa.BigInteger),
    )
    op.create_index("ix_agents_agent", "agents", ["agent_id"])
    op.create_index("ix_events_at", "events", ["at_us"])
    _partial_index("ix_events_not_allowed", "events", ["at_us"], "decision != 'allow'")
    op.create_index("ix_events_seq", "events", ["seq"])
    op.create_index("ix_events_session", "events", ["session_id", "at_us"])
    _partial_index("ix_events_tool", "events", ["tool_name", "at_us"], "tool_name IS NOT NULL")
    op.create_index("ix_prompts_session", "prompts", ["session_id", "at_us"])
    op.create_index("ix_sessions_last", "sessions", ["last_us"])
    _partial_index("ix_tool_calls_no_pre", "tool_calls", ["end_us"], "pre_us IS NULL")


def downgrade() -> None:
    """There is nothing before the first version: a ledger is removed whole, and made again from the journal."""
    raise RuntimeError("the first schema cannot be taken back")
