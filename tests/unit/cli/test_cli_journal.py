"""The record itself from the command line: its path, its proof, its stores made again, its dead letters."""

from __future__ import annotations

import json
from pathlib import Path
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
    assert {row["store"]: row["records"] for row in rows} == {"ledger": 8, "search": 8, "graph": 8, "memory": 8}
    assert len(cli.rows("audit", "list")) == 7
    assert "or all" in cli("journal", "rebuild", "--store", "nosuch", code=2).stderr


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


def test_a_whole_journal_is_proven_and_an_edited_record_is_named(cli: Any) -> None:
    segment = journals.write(cli.home, [journals.event(number) for number in range(1, 8)])
    assert len(cli.rows("audit", "list")) == 7
    told = cli("journal", "verify").stdout
    assert "whole" in told and "8 (1 to 8)" in told and "8 hashes of the ledger" in told
    segment.write_text(segment.read_text().replace('"command":"echo 4"', '"command":"echo 5"'))
    done = cli("journal", "verify", code=5)
    assert "record 5 was edited" in done.stdout and "record 5 was edited" in done.stderr and "next:" in done.stderr
    answer = json.loads(cli("journal", "verify", "--json", "--no-ledger", code=5).stdout)
    assert answer["ok"] is False and answer["error"]["code"] == "findings"
    assert (answer["rows"][0]["seq"], answer["rows"][0]["kind"]) == (5, "edited")
    assert answer["report"]["hashes"] == 0 and answer["report"]["records"] == 8


def test_a_cut_end_is_seen_by_the_ledger_and_by_a_checkpoint_kept_elsewhere(cli: Any, tmp_path: Path) -> None:
    from levaithan.journal import seal

    segment = journals.write(cli.home, [journals.event(number) for number in range(1, 5)])
    assert len(cli.rows("audit", "list")) == 4
    lines = segment.read_text().splitlines(keepends=True)
    key = seal.ensure_key(str(tmp_path / "journal.key"), str(tmp_path / "journal.pub"))
    kept = tmp_path / "checkpoint.json"
    kept.write_text(json.dumps(key.sign(journals.JOURNAL, 5, lines[-1][:64]).as_dict()))
    words = ["journal", "verify", "--no-ledger", "--against", str(kept), "--public-key", str(tmp_path / "journal.pub")]
    assert "record 5, by signed checkpoints" in cli(*words).stdout
    segment.write_text("".join(lines[:-1]))
    assert "cut off" in cli("journal", "verify", code=5).stderr
    assert "cut off" in cli(*words, code=5).stderr
    assert cli("journal", "verify", "--no-ledger").stdout.count("a cut end would not show") == 1
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / segment.name).write_text("".join(lines))
    assert "whole" in cli("journal", "verify", "--directory", str(copy), *words[3:]).stdout


def test_what_cannot_be_compared_with_is_a_usage_error(cli: Any, tmp_path: Path) -> None:
    assert "no journal at" in cli("journal", "verify", code=1).stderr
    journals.write(cli.home, [journals.event(1)])
    (tmp_path / "none.json").write_text("{}")
    assert "next:" in cli("journal", "verify", "--against", str(tmp_path / "none.json"), code=2).stderr
    assert "next:" in cli("journal", "verify", "--against", str(tmp_path / "missing"), code=2).stderr
    assert "public-key" in cli("journal", "verify", "--public-key", str(tmp_path / "none.json"), code=2).stderr


def test_a_damaged_ledger_does_not_stop_a_verification(cli: Any) -> None:
    journals.write(cli.home, [journals.event(1)])
    (cli.home / "state").mkdir()
    (cli.home / "state/ledger.sqlite3").write_bytes(b"this is no database at all, not even nearly one")
    done = cli("journal", "verify")
    assert "whole" in done.stdout and "the ledger could not be asked" in done.stdout


def test_repair_mends_a_torn_end_and_says_so(cli: Any) -> None:
    segment = journals.write(cli.home, [journals.event(1), journals.event(2)])
    with segment.open("a") as file:
        file.write("0123 half a rec")
    assert cli("journal", "verify", "--no-ledger", code=5).stderr.count("torn") == 1
    cli("journal", "repair", "--dry-run")
    assert segment.read_text().endswith("half a rec")
    assert cli("journal", "repair").stdout != ""
    assert cli("journal", "verify", "--no-ledger").returncode == 0
    assert list((cli.home / "logs/journal/torn").iterdir()) != []
