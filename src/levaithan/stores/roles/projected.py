"""What every store that follows the journal can do, and the types that pass between it and the projector."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Sequence


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


@dataclass(slots=True)
class Health:
    """The state of a store in numbers and words; `rows` may be a close guess, `problems` is empty when all is well.

    server: the program and its version; latency_ms: one question there and back; skew_ms: how far its clock is before
    ours, skew_error_ms: by how much that may be off either way; free_bytes: of its disk; encrypted: whether the
    connection is; capabilities: what this server can do beyond the role (docs/how-to/stores.md names them). None and ""
    where the store cannot say. fix: what to do about the first problem. excess: what this user may there that daily
    work does not need, each as "is a ..." or "may ...". owner: to whom its tables belong, where the server has users;
    owner_excess: what that one may besides.
    """

    store: str
    ok: bool
    where: str
    schema: str
    rows: int
    dead_letters: int
    bytes: int
    problems: list[str] = field(default_factory=list)
    fix: str = ""
    server: str = ""
    latency_ms: float | None = None
    skew_ms: float | None = None
    skew_error_ms: float = 0.0
    free_bytes: int | None = None
    encrypted: bool | None = None
    capabilities: tuple[str, ...] = ()
    excess: list[str] = field(default_factory=list)
    owner: str = ""
    owner_excess: list[str] = field(default_factory=list)


class Projected(Protocol):
    """What every store that follows the journal can do."""

    name: str
    found: list[str]
    """What was met when opening, in words for a person."""
    rereads: bool
    """Whether reading the journal again from its start is enough after the journal changed; else it is emptied."""
    remote: bool
    """Whether a server holds it: it may take seconds to fail, so it is followed in a thread of its own."""
    shared: bool
    """Whether other machines' journals are in it too: a rebuild then works in place (see Shared)."""
    journal: str
    """The id of the journal that this object follows: cursor and dead letters are those of that journal. "" where a
    store knows one journal only."""
    max_field: int
    """The longest text it takes, in bytes of UTF-8."""

    def cursor(self) -> Cursor | None:
        """The place in the journal up to which this store has everything; None when it has nothing yet."""

    def apply(self, batch: Sequence[Delivery], cursor: Cursor) -> list[Rejected]:
        """Put `batch`, then `cursor`, so that the place never goes beyond what is there. What cannot be put is a dead
        letter, and returned. Idempotent: what is put again is there once.

        In one transaction in a ledger, in SQLite, and where a batch fits into one call (HelixDB: 512 records, Redis:
        256 events). Elasticsearch, Weaviate and larger batches take steps: some of a batch that failed may be there.
        Raises StoreBusyError (later read `cursor()` and put again from there) or StoreDamagedError.
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

    def expected(self, delivery: Delivery) -> str | None:
        """What `fingerprints` says of this record when the store has it unaltered; None for one it does not keep."""

    def fingerprints(self, first: int, last: int) -> dict[int, str]:
        """seq -> a hash of what is stored of that record of `journal`, for first <= seq <= last. Made from what is
        there now, not from a hash kept beside it: a row that was altered must show."""

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


class Shared(Projected, Protocol):
    """A store that several machines' journals are in: it is rebuilt in place, for nobody may miss the others' rows."""

    def rewrite_begin(self) -> None:
        """Of a shared store: forget the cursor of `journal`, and from now on let `apply` replace what is there."""

    def rewrite_end(self, last: int) -> None:
        """Remove what claims to be of `journal` after the record `last`, and let `apply` keep what is there again."""
