"""The fingerprint of an event is of every column of its row: whatever is altered shows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.support.ledger_records import cursor, delivery, event

from levaithan.stores import ledger_prints, schema
from levaithan.stores.sqlite_ledger import SqliteLedger

COLUMNS = [one.name for one in schema.events.columns if one.name != "journal"]


def test_every_column_is_in_it_in_the_order_of_the_row() -> None:
    assert list(ledger_prints.PRINTED["events"]) == COLUMNS


@pytest.mark.parametrize("column", [name for name in COLUMNS if name not in ("id", "seq")])
def test_whatever_is_altered_shows(tmp_path: Path, column: str) -> None:
    path = str(tmp_path / "ledger.sqlite3")
    ledger = SqliteLedger(path)
    ledger.migrate()
    records = [event(1, agent_id="a", prompt_id="p"), event(2)]
    ledger.apply([delivery(one) for one in records], cursor(3))
    before = ledger.fingerprints(1, 10)
    assert before == {one["seq"]: ledger.expected(delivery(one)) for one in records}
    ledger.close()
    with sqlite3.connect(path) as link:
        link.execute(f"UPDATE events SET {column} = '77' WHERE seq = 2")
    link.close()
    again = SqliteLedger(path)
    assert again.fingerprints(1, 10)[2] != before[2]
    assert again.fingerprints(1, 10)[3] == before[3]
    again.close()
