"""The schema versions by name, apart from SQLAlchemy and Alembic, so that opening a current ledger loads neither."""

from __future__ import annotations

HEAD = "0005"
"""The newest migration in stores/migrations/versions; a test compares."""
KNOWN = ("0001", "0002", "0003", "0004", "0005")
