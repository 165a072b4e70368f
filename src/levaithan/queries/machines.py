"""Whose journals the ledger holds, and how far their clocks are from the database's: by this lists of several machines'
events are put in order (see clocks)."""

from __future__ import annotations

from typing import Any

from levaithan.queries.asking import Answers, iso, milliseconds

_SQL = (
    "SELECT machine, journal, first_us, last_us, newest_us, skew_us, version FROM machines "
    "ORDER BY last_us DESC, machine, journal"
)


def list_machines(ledger: Answers) -> list[dict[str, Any]]:
    """A row a machine and journal, the last heard first: `skew_ms` is its clock less the database's as measured with
    its last batch, to about half of the time that asking took. An embedded ledger has one machine and no row. Raises
    StoreError."""
    return [
        {"machine": machine, "journal": journal, "first_seen": iso(first), "last_seen": iso(last),
         "newest_event": iso(newest), "skew_ms": milliseconds(skew), "version": version}
        for machine, journal, first, last, newest, skew, version in ledger.rows(_SQL)
    ]  # fmt: skip


def widest_skew_ms(ledger: Answers) -> float:
    """By how many milliseconds the clocks of two machines are apart at most; 0 for fewer than two."""
    found = [one for (one,) in ledger.rows("SELECT skew_us FROM machines WHERE skew_us IS NOT NULL")]
    return (max(found) - min(found)) / 1000 if len(found) > 1 else 0.0
