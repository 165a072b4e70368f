"""Alembic's scripts for the ledger; run by stores.migrate, never by hand and never while reading."""
