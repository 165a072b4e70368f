"""Each journal's clock has a history: by how much it was ahead from which record on. What was known of it last is the
first row.

On Postgres the rows know the times that their records have, which bounds what a list reads; so every journal that has
events gets one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_FIRST = (
    "INSERT INTO clock_skews (journal, from_seq, skew_us, oldest_us, newest_us) SELECT e.journal, 0, coalesce((SELECT "
    "m.skew_us FROM machines m WHERE m.journal = e.journal AND m.skew_us IS NOT NULL ORDER BY m.last_us DESC LIMIT 1), "
    "0), e.oldest_us, e.newest_us FROM (SELECT journal, min(at_us) AS oldest_us, max(at_us) AS newest_us FROM events "
    "GROUP BY journal) e"
)


def upgrade() -> None:
    """Add the table, and what is known."""
    postgres = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "clock_skews",
        sa.Column("journal", sa.Text(collation="C") if postgres else sa.Text(), primary_key=True),
        sa.Column("from_seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("skew_us", sa.BigInteger, nullable=False),
        sa.Column("oldest_us", sa.BigInteger, nullable=False),
        sa.Column("newest_us", sa.BigInteger, nullable=False),
    )
    if postgres:
        op.execute(_FIRST)


def downgrade() -> None:
    """Take it away."""
    op.drop_table("clock_skews")
