"""The record itself from the command line: its path, its proof, its stores made again, its dead letters."""

from __future__ import annotations

import json
from typing import Any

import journals


def test_the_path_is_the_folder(cli: Any) -> None:
    assert cli("journal", "path").stdout == f"{cli.home}/logs/journal\n"


def test_the_stores_are_made_again_from_nothing(cli: Any) -> None:
    journals.write(cli.home, [journals.event(number) for number in range(1, 8)])
    assert len(cli.rows("audit", "list")) == 7
    for path in (cli.home / "state").glob("*.sqlite3*"):
        path.unlink()
    rows = cli.rows("journal", "rebuild")
    assert {row["store"]: row["records"] for row in rows} == {"ledger": 8, "search": 8}
    assert len(cli.rows("audit", "list")) == 7
    assert "choose ledger, search or all" in cli("journal", "rebuild", "--store", "graph", code=2).stderr


def test_poison_waits_with_its_reason_and_replay_delivers_it_after_a_fix(cli: Any) -> None:
    poison = journals.event(3, payload={"tool_input": {"command": "echo " + "x" * 5000}})
    journals.write(cli.home, [journals.event(1), poison, journals.event(5)])
    (cli.home / ".env").write_text("LEVAITHAN_LEDGER_MAX_FIELD_BYTES=4096\n")
    assert [row["id"][-1] for row in cli.rows("audit", "list")] == ["5", "1"]
    waiting = cli.rows("journal", "dead-letters", "--store", "ledger")
    assert [row["id"] for row in waiting] == [f"{3:032x}"] and "4096" in waiting[0]["reason"].replace(",", "")
    done = cli("journal", "replay", "--store", "ledger", code=5)
    assert "--sanitize" in done.stderr and len(cli.rows("journal", "dead-letters", "--store", "ledger")) == 1
    answer = json.loads(cli("journal", "replay", "--store", "ledger", "--json", code=5).stdout)
    assert answer["rows"][0]["delivered"] is False
    (cli.home / ".env").write_text("")
    assert cli.rows("journal", "replay", f"{3:032x}", "--store", "ledger")[0]["delivered"] is True
    assert [row["id"][-1] for row in cli.rows("audit", "list")] == ["5", "3", "1"]
    assert cli.rows("journal", "dead-letters") == []


def test_poison_can_be_delivered_made_harmless(cli: Any) -> None:
    journals.write(cli.home, [journals.event(1, payload={"tool_input": {"command": "a\x00b"}})])
    assert cli.rows("audit", "list") == []
    assert cli.rows("journal", "replay", "--sanitize", "--store", "ledger")[0]["delivered"] is True
    assert cli.rows("audit", "list")[0]["sanitized"] is True
