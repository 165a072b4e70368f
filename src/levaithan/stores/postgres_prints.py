"""Fingerprints of a PostgreSQL ledger's rows: by the server from what is stored, here from what a record says."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from levaithan.stores import rows

if TYPE_CHECKING:
    from levaithan.stores.roles import Delivery

_PRINTED = {
    "events": ("id", "seq", "hash", "at_us", "event", "session_id", "agent_id", "tool_name", "tool_use_id", "decision",
               "rule", "reason", "hook", "duration_us", "project", "cwd", "machine", "canary", "body"),
    "journal_notes": ("seq", "hash", "kind", "at_us", "body"),
    "checkpoints": ("seq", "hash", "at_us", "size", "head", "key_id", "signature", "body"),
}  # fmt: skip
"""The columns that a fingerprint is made of: all that a record decides and a question shows."""
_PLACES = {
    "events": (0, 1, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 19, 20, 22, 23, 25),
    "journal_notes": (1, 2, 3, 4, 5), "checkpoints": (1, 2, 3, 4, 5, 6, 7, 8),
}  # fmt: skip
"""Where these are in the rows that stores.rows makes; a test compares."""
SQL = " UNION ALL ".join(
    f"SELECT seq, encode(sha256(convert_to(array_to_string(ARRAY[{', '.join(f'{name}::text' for name in columns)}], "  # noqa: S608 - own words
    f"chr(31), '\\N'), 'UTF8')), 'hex') FROM {table} WHERE journal = :journal AND seq BETWEEN :first AND :last"
    for table, columns in _PRINTED.items()
)
"""seq and hash of the records :first to :last of :journal."""


def expected(delivery: Delivery) -> str | None:
    """The hash that SQL gives of this record's row; None for one that the ledger does not take."""
    made, _ = rows.build([delivery], 1 << 62)
    for table, some in (("events", made.events), ("journal_notes", made.notes), ("checkpoints", made.checkpoints)):
        for row in some:
            return _print(row, _PLACES[table])
    return None


def _print(row: tuple[Any, ...], places: tuple[int, ...]) -> str:
    text = "\x1f".join("\\N" if row[place] is None else str(row[place]) for place in places)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
