"""The journal's records that are no events, as the ledger keeps them: what people and the monitor did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.queries.asking import Answers

_SQL = "SELECT body FROM journal_notes WHERE kind = :kind ORDER BY at_us, seq"


def of_kind(ledger: Answers, kind: str) -> Iterator[dict[str, Any]]:
    """The records of `kind`, the oldest first. Raises StoreError."""
    for (body,) in ledger.rows(_SQL, {"kind": kind}):
        record = json.loads(body)
        if isinstance(record, dict):
            yield record
