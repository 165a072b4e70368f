"""What an embedded store says that it holds: a count where that is cheap, a guess of a large one."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from tests.support.ledger_records import cursor, delivery, event

from levaithan.stores.sqlite_graph import SqliteGraph
from levaithan.stores.sqlite_search import SqliteSearch

if TYPE_CHECKING:
    from pathlib import Path


def test_a_search_counts_its_events_and_of_very_many_its_blocks(tmp_path: Path) -> None:
    """Of five it said 1,024."""
    store = SqliteSearch(f"{tmp_path}/search.sqlite3")
    records = [event(number) for number in range(1, 6)]
    records.append({**event(6), "kind": "journal"})
    store.apply([delivery(one) for one in records], cursor(7))
    assert store.health().rows == 5
    store.close()
    with sqlite3.connect(f"{tmp_path}/search.sqlite3") as link:
        link.executemany("INSERT INTO spans VALUES (?, 0, 0)", [(number,) for number in range(1000, 1256)])
    link.close()
    store = SqliteSearch(f"{tmp_path}/search.sqlite3")
    assert store.health().rows == 257 * 1024
    store.close()


def test_a_graph_counts_its_nodes_whatever_comes_twice(tmp_path: Path) -> None:
    store = SqliteGraph(f"{tmp_path}/graph.sqlite3")
    records = [event(n, tool_name="Read", payload={"tool_input": {"file_path": f"/p/{n % 3}"}}) for n in range(1, 9)]
    for _ in range(3):
        store.apply([delivery(one) for one in records], cursor(9))
    store.apply([delivery(event(10, session_id="another"))], cursor(11))
    assert store.health().rows == sum(n for kind, n in store.kinds().items() if not kind.isupper()) > 4
    store.close()
