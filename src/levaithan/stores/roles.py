"""What a store must be able to do, a role each: every adapter is held to these Protocols by tests/contract.

Imports the standard library and the error tree only: the read path of the CLI loads this module, so no driver,
no SQLAlchemy and no pydantic may come in here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from levaithan.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import Connection

LEDGER = "ledger"
SEARCH = "search"


class StoreBusyError(StoreError):
    """The {store} store cannot take anything just now: {reason}. Nothing is lost, it is tried again."""

    code = "store_busy"
    fix = "free disk space or wait for the other writer; `levaithan status` shows the lag falling"


class StoreDamagedError(StoreError):
    """The {store} store in {path} is damaged: {reason}."""

    code = "store_damaged"
    fix = "run `levaithan journal rebuild`: the store is made again from the journal, the damaged file is kept"


class SchemaTooNewError(StoreError):
    """The {store} store in {path} was written by a newer levaithan (schema {found}, this one knows {known})."""

    code = "store_schema_newer"
    fix = "update levaithan, or run `levaithan journal rebuild` to make the store again with this version"


@dataclass(slots=True, frozen=True)
class Cursor:
    """How far a store has read the journal: the next record begins at `offset` (bytes) of `segment`.

    `seq` and `hash` are those of the last record before it (0 and "" before the first).
    """

    journal: str
    segment: str
    offset: int
    seq: int
    hash: str


@dataclass(slots=True)
class Delivery:
    """One journal line on its way into a store. `record` is None when `problem` says why it cannot be read.

    `line` is kept only for what could not be read as a record; `offset` counts bytes from the segment's start.
    """

    seq: int
    hash: str
    journal: str
    segment: str
    offset: int
    record: dict[str, Any] | None
    body: bytes
    problem: str = ""
    sanitized: bool = False


@dataclass(slots=True)
class Rejected:
    """A delivery that the store could not take, with the reason in words."""

    delivery: Delivery
    reason: str


@dataclass(slots=True, frozen=True)
class DeadLetter:
    """A delivery that waits outside the store; times are microseconds since 1970, UTC."""

    store: str
    segment: str
    offset: int
    journal: str
    seq: int
    id: str | None
    tool_use_id: str | None
    reason: str
    attempts: int
    first_us: int
    last_us: int


@dataclass(slots=True, frozen=True)
class SearchFilters:
    """What a search may be narrowed to; None means any. Exact values."""

    session: str | None = None
    tool: str | None = None
    event: str | None = None


@dataclass(slots=True, frozen=True)
class Hit:
    """One event that a search found. `snippet` is None when the adapter does not keep the text itself."""

    id: str
    seq: int
    at_us: int
    position: int
    snippet: str | None = None


@dataclass(slots=True)
class Health:
    """The state of a store in numbers and words; `rows` may be a close guess, `problems` is empty when all is well."""

    store: str
    ok: bool
    where: str
    schema: str
    rows: int
    dead_letters: int
    bytes: int
    problems: list[str] = field(default_factory=list)


class Projected(Protocol):
    """What every store that follows the journal can do."""

    name: str
    found: list[str]
    """What was met when opening, in words for a person."""
    rereads: bool
    """Whether reading the journal again from its start is enough after the journal changed; else it is emptied."""

    def cursor(self) -> Cursor | None:
        """The place in the journal up to which this store has everything; None when it has nothing yet."""

    def apply(self, batch: Sequence[Delivery], cursor: Cursor) -> list[Rejected]:
        """Put `batch` and `cursor` in one transaction; idempotent. What cannot be put is a dead letter, and returned.

        Raises StoreBusyError (try again later, nothing was written) or StoreDamagedError.
        """

    def put_again(self, batch: Sequence[Delivery]) -> list[Rejected]:
        """Try dead letters again, without moving the cursor; what arrives leaves the dead letters."""

    def dead_letters(self, limit: int = 1000) -> list[DeadLetter]:
        """The dead letters, the oldest first."""

    def dead_count(self) -> int:
        """The number of dead letters."""

    def migrate(self) -> None:
        """Make the schema, or bring it to this version: backs a non-empty ledger up first and compares the counts."""

    def current(self) -> bool:
        """Whether the store is there and its schema is of this version."""

    def check_version(self) -> None:
        """Raise SchemaTooNewError when a newer levaithan wrote the store; nothing can be put into it then."""

    def heal(self) -> bool:
        """Look the store over before the first write; move it aside and say True when it was damaged."""

    def move_aside(self, why: str) -> None:
        """Keep a damaged store under another name and begin anew."""

    def beside(self) -> Self:
        """An empty store for a rebuild, which this one's readers do not see."""

    def take_over(self, fresh: Self) -> None:
        """Replace what this store holds by `fresh`, which is closed; readers never see less than one of the two."""

    def clear_leftovers(self) -> None:
        """Remove what rebuilds that never finished left behind."""

    def drop_all(self) -> None:
        """Empty the store, cursor and dead letters included."""

    def health(self) -> Health:
        """How the store is; never raises for a store that is down or damaged, but says so."""

    def close(self) -> None:
        """Let go of files and connections; may be called twice."""


class Ledger(Projected, Protocol):
    """Events, sessions, agents, tool calls, decisions, prompts, checkpoints."""

    def rows(self, sql: str, values: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """The answer to one SELECT with `:name` parameters, without loading SQLAlchemy."""

    def read(self) -> AbstractContextManager[Connection]:
        """A SQLAlchemy connection for reading, for questions built from stores.schema."""


class Search(Projected, Protocol):
    """Full text over the events."""

    def find(
        self,
        query: str,
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        filters: SearchFilters | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> list[Hit]:
        """Events that hold every word of `query`, newest first; `before` is the `position` of the last hit of a page.

        Any text is a valid query: "several words" is a phrase, word* a prefix, all else plain words.
        """
