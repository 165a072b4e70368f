"""What the ledger remembers of the journal: hashes and signed checkpoints, for `journal verify` to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.queries.asking import Answers, iso

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEP = 5_000


def hashes(ledger: Answers, first: int, last: int) -> Iterator[tuple[int, str]]:
    """(number, hash) of the records `first` to `last` that the ledger holds unchanged, in order. Raises StoreError."""
    for low in range(first, last + 1, _STEP):
        values: dict[str, object] = {"low": low, "high": min(low + _STEP - 1, last)}
        yield from (
            (int(one[0]), str(one[1]))
            for one in ledger.rows(
                "SELECT seq, hash FROM events WHERE seq >= :low AND seq <= :high UNION "
                "SELECT seq, hash FROM journal_notes WHERE seq >= :low AND seq <= :high UNION "
                "SELECT seq, hash FROM checkpoints WHERE seq >= :low AND seq <= :high ORDER BY 1",
                values,
            )
        )


def checkpoints(ledger: Answers) -> list[dict[str, Any]]:
    """The signed checkpoints, the oldest first, each with its whole record as `body` (JSON text). Raises StoreError."""
    names = ("journal", "seq", "hash", "at", "size", "head", "key_id", "signature", "body")
    rows = ledger.rows(
        "SELECT journal, seq, hash, at_us, size, head, key_id, signature, body FROM checkpoints ORDER BY journal, seq"
    )
    return [{**dict(zip(names, one, strict=True)), "at": iso(one[3])} for one in rows]
