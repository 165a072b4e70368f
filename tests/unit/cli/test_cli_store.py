"""The stores from the command line: how they are, whether they can be used, and whether they are true."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import journals


def test_each_store_says_how_it_is(cli: Any) -> None:
    journals.write(cli.home, [journals.event(number) for number in range(1, 6)])
    assert len(cli.rows("audit", "list")) == 5
    rows = {row["store"]: row for row in cli.rows("store", "status")}
    assert (rows["ledger"]["state"], rows["ledger"]["rows"], rows["ledger"]["lag"]) == ("ok", 5, 0)
    assert rows["ledger"]["server"].startswith("SQLite 3")
    assert rows["ledger"]["free_bytes"] > 0
    assert [row["store"] for row in cli.rows("store", "status", "search")] == ["search"]


def test_a_store_without_its_driver_or_adapter_is_said_with_the_next_step(cli: Any) -> None:
    journals.write(cli.home, [journals.event(1)])
    (cli.home / ".env").write_text("LEVAITHAN_LEDGER_URL=oracle://me:hunter2@db/x\n")
    done = cli("store", "status", "ledger", code=3)
    assert "no ledger adapter for oracle://" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    told = json.loads(cli("store", "check", "ledger", "--json", code=3).stdout)
    assert told["rows"][0]["status"] == "fail"
    assert told["error"]["fix"]


def test_lag_is_counted(cli: Any) -> None:
    journals.write(cli.home, [journals.event(number) for number in range(1, 6)])
    rows = {row["store"]: row for row in cli.rows("store", "lag")}
    assert (rows["ledger"]["state"], rows["ledger"]["lag"]) == ("behind", 6)


def test_migrate_makes_what_is_not_there_and_then_nothing(cli: Any) -> None:
    journals.write(cli.home, [journals.event(1)])
    assert cli.rows("store", "migrate", "ledger", "--dry-run")[0]["done"] == "would be made or brought up"
    assert not (cli.home / "state/ledger.sqlite3").exists()
    assert cli.rows("store", "migrate", "ledger")[0]["done"] == "made or brought up"
    assert cli.rows("store", "migrate", "ledger")[0]["done"] == "up to date"


def test_compare_finds_an_altered_row_and_rebuild_puts_it_right(cli: Any) -> None:
    journals.write(cli.home, [journals.event(number) for number in range(1, 6)])
    assert all(row["equal"] for row in cli.rows("store", "compare"))
    with sqlite3.connect(cli.home / "state/ledger.sqlite3") as link:
        link.execute("UPDATE events SET body = '{}' WHERE seq = 3")
    done = cli("store", "compare", "ledger", code=5)
    assert "1 altered" in done.stderr
    assert "levaithan store rebuild ledger" in done.stderr
    assert json.loads(cli("store", "compare", "ledger", "--json", code=5).stdout)["rows"][0]["altered"] == [3]
    assert cli.rows("store", "rebuild", "ledger")[0]["records"] == 6
    assert all(row["equal"] for row in cli.rows("store", "compare"))


def test_what_is_no_store_is_a_usage_problem(cli: Any) -> None:
    journals.write(cli.home, [])
    for command in ("status", "check", "migrate", "rebuild", "lag", "compare"):
        assert "no store 'nosuch'" in cli("store", command, "nosuch", code=2).stderr
