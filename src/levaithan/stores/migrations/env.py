"""Alembic's entry: migrates over the connection that stores.migrate hands in, in its transaction."""

from __future__ import annotations

from alembic import context

from levaithan.stores.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table="schema_version",
    transactional_ddl=True,
)
context.run_migrations()
