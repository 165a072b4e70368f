"""What the ledger remembers of the journal: hashes and signed checkpoints, for `journal verify` to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.queries.asking import Answers, iso, own

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEP = 5_000
_TABLES = ("events", "journal_notes", "checkpoints")


def hashes(ledger: Answers, first: int, last: int) -> Iterator[tuple[int, str]]:
    """(number, hash) of the records `first` to `last` that the ledger holds unchanged, in order. Raises StoreError."""
    said, mine = own(ledger)
    span = "WHERE seq >= :low AND seq <= :high" + (f" AND {said}" if said else "")
    sql = " UNION ".join(f"SELECT seq, hash FROM {table} {span}" for table in _TABLES) + " ORDER BY 1"  # noqa: S608
    for low in range(first, last + 1, _STEP):
        values: dict[str, object] = {"low": low, "high": min(low + _STEP - 1, last), **mine}
        yield from ((int(one[0]), str(one[1])) for one in ledger.rows(sql, values))


def checkpoints(ledger: Answers) -> list[dict[str, Any]]:
    """The signed checkpoints, the oldest first, each with its whole record as `body` (JSON text). Raises StoreError."""
    names = ("journal", "seq", "hash", "at", "size", "head", "key_id", "signature", "body")
    said, mine = own(ledger)
    condition = f"WHERE {said} " if said else ""
    rows = ledger.rows(
        "SELECT journal, seq, hash, at_us, size, head, key_id, signature, body FROM checkpoints "  # noqa: S608 - own words
        f"{condition}ORDER BY journal, seq",
        mine,
    )
    return [{**dict(zip(names, one, strict=True)), "at": iso(one[3])} for one in rows]
