"""A dead letter knows its tool call (so that a poisoned PreToolUse is no bypassed guard); rare events have an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column and the indices."""
    op.add_column("dead_letters", sa.Column("tool_use_id", sa.Text))
    op.create_index("ix_events_event", "events", ["event", "at_us"])
    where = sa.text("rule IS NOT NULL")
    op.create_index("ix_events_rule", "events", ["rule", "at_us"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Take them away."""
    op.drop_index("ix_events_rule", "events")
    op.drop_index("ix_events_event", "events")
    op.drop_column("dead_letters", "tool_use_id")
