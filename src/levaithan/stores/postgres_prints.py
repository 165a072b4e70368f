"""Fingerprints of a PostgreSQL ledger's records (ledger_prints), made by the server from what is stored."""

from __future__ import annotations

from levaithan.stores.ledger_prints import OPINIONS, PRINTED, PROMPT


def _text(columns: tuple[str, ...]) -> str:
    """The columns as one text."""
    return f"array_to_string(ARRAY[{', '.join(f'{name}::text' for name in columns)}], chr(31), '\\N')"


def _beside(table: str, columns: tuple[str, ...], order: str) -> str:
    """The rows of `table` that an event has, each after a chr(30)."""
    rows = f"string_agg(chr(30) || {_text(columns)}, '' ORDER BY {order})"
    return f"coalesce((SELECT {rows} FROM {table} o WHERE o.event_id = e.id), '')"  # noqa: S608 - own words


_AFTER = {"events": f" || {_beside('decisions', OPINIONS, 'position')} || {_beside('prompts', PROMPT, 'event_id')}"}
SQL = " UNION ALL ".join(
    f"SELECT seq, encode(sha256(convert_to({_text(columns)}{_AFTER.get(table, '')}, 'UTF8')), 'hex') FROM {table} e "  # noqa: S608 - own words
    "WHERE journal = :journal AND seq BETWEEN :first AND :last"
    for table, columns in PRINTED.items()
)
"""seq and fingerprint of the records :first to :last of :journal."""
