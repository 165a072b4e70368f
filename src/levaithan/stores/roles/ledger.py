"""The ledger: what happened, in tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from levaithan.stores.roles.projected import Projected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import Connection


class Ledger(Projected, Protocol):
    """Events, sessions, agents, tool calls, decisions, prompts, checkpoints."""

    def rows(self, sql: str, values: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """The answer to one SELECT with `:name` parameters, without loading SQLAlchemy."""

    def read(self) -> AbstractContextManager[Connection]:
        """A SQLAlchemy connection for reading, for questions built from stores.schema."""
