"""The journal's notes are found by their kind: incidents and actions are read out of them at every look."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_journal_notes_kind", "journal_notes", ["kind", "at_us"])


def downgrade() -> None:
    """Take it away."""
    op.drop_index("ix_journal_notes_kind", "journal_notes")
