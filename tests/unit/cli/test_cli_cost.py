"""`levaithan cost` as a person runs it, on the recorded sessions."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RECORDED = Path(__file__).parents[2] / "data" / "transcripts"


@pytest.fixture
def used(cli: Any) -> Any:
    """A home of somebody whose client recorded every session there is, outside of the ledger."""
    for case in RECORDED.iterdir():
        shutil.copytree(case, cli.home / "user/.claude/projects/-p", dirs_exist_ok=True)
    cli.env["TZ"] = "UTC"
    return cli


def test_the_report_by_session_is_the_client_s_to_the_cent(used: Any) -> None:
    told = {}
    for path in RECORDED.glob("*/*.jsonl"):
        client = [json.loads(line) for line in path.read_text().splitlines() if '"cost-state"' in line][-1]
        told[path.stem] = None if client["hasUnknownModelCost"] else client["totalCostUSD"]
    rows = used.rows("cost", "report", "--by", "session")
    assert {row["session"]: row["usd"] for row in rows} == {
        session: usd if usd is None else pytest.approx(usd, abs=1e-9) for session, usd in told.items()
    }
    assert {row["kind"] for row in rows if row["usd"] is None} == {"unknown price"}


def test_a_table_has_four_decimals_and_the_total_is_said(used: Any) -> None:
    done = used("cost", "report", env={"COLUMNS": "200"})
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["DAY", "KIND", "MODEL"] and lines[1].startswith("2026-11-23  usage")
    assert lines[1].endswith("0.2917") and "claude-unknown-9" in lines[2] and not lines[2].endswith("0.0000")
    assert "total: 0.2917 USD by genai-prices" in done.stderr and "claude-unknown-9" in done.stderr


def test_the_window_and_the_filters_narrow_it(used: Any) -> None:
    assert used.rows("cost", "report", "--until", "2026-11-23T00:00Z") == []
    assert used.rows("cost", "report", "--since", "2026-11-24T00:00Z") == []
    [row] = used.rows("cost", "report", "--agent", "a84843bfafc8673d0", "--by", "agent")
    assert (row["calls"], row["session"]) == (2, "00a644e8-4114-44b8-b9f8-119d1b1bb9aa")
    [row] = used.rows("cost", "report", "--project", "/home/dev/demo", "--by", "model", "--session", row["session"])
    assert (row["model"], row["calls"]) == ("claude-opus-5-5", 4)
    assert used.rows("cost", "report", "--project", "/nowhere") == []


def test_a_check_says_exit_5_for_a_model_without_a_price_until_it_has_one(used: Any) -> None:
    done = used("cost", "check", "--json", code=5)
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["error"]["code"], len(answer["rows"])) == (False, "findings", 11)
    assert [row["model"] for row in answer["rows"] if row["status"] != "ok"] == ["claude-unknown-9"]
    prices = used.home / "context" / "prices.toml"
    prices.write_text('[[price]]\nmodel = "claude-unknown-9"\nin = 4\nout = 20\n')
    assert {row["status"] for row in used.rows("cost", "check")} == {"ok"}
    prices.write_text('[[price]]\nmodel = "claude-unknown-9"\nin = 4.4\nout = 20\n')
    done = used("cost", "check", code=5)
    assert "other price" in done.stdout and "10.0 %" in done.stdout
    drift = used.rows("cost", "report", "--by", "model")[-1]
    assert (drift["kind"], drift["why"], drift["usd"]) == ("drift to the client", "other price", pytest.approx(0.004))
    assert used.rows("cost", "check", "--session", "c5e9115c-d18c-4521-87be-0a5127eac503")[0]["status"] == "ok"


def test_a_bad_file_of_prices_is_said_and_changes_nothing(used: Any) -> None:
    prices = used.home / "context" / "prices.toml"
    prices.write_text("[[price]]\nmodel = 5\n")
    done = used("cost", "report", "--by", "model")
    assert f"note: {prices}:1: model is missing" in done.stderr and "in force: " in done.stderr
    done = used("cost", "prices", "--update", code=1)
    assert "prices.toml:1:" in done.stderr and "next: correct that line" in done.stderr
    prices.unlink()
    assert "in force: genai-prices" in used("cost", "prices", "--update").stderr


def test_the_prices_in_force_are_shown_in_full(used: Any) -> None:
    rows = {(row["model"], row["mode"], row["above"]): row for row in used.rows("cost", "prices")}
    row = rows["claude-opus-5-5", None, None]
    assert [row[name] for name in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")] == [
        4,
        20,
        0.2,
        5,
        8,
    ]
    assert row["origin"] == "genai-prices" and row["version"].startswith("genai-prices ")
    assert "0.0625" in used("cost", "prices", env={"COLUMNS": "200"}).stdout


def test_another_table_is_in_the_journal_with_who_made_it(used: Any) -> None:
    used("cost", "prices", "--update")
    (used.home / "context" / "prices.toml").write_text('[[price]]\nmodel = "m"\nin = 4\nout = 20\n')
    for _ in range(2):
        used("cost", "prices", "--update")
    lines = [line for path in (used.home / "logs/journal").glob("journal-*.log") for line in path.open()]
    notes = [note for line in lines if (note := json.loads(line[65:]))["kind"] == "prices"]
    assert [note["prices"]["version"].partition(" with ")[2][:15] for note in notes] == ["", "own prices.toml"]
    assert {note["by"] for note in notes} == {pwd.getpwuid(os.getuid()).pw_name}


def test_a_forecast_says_how_it_was_made(used: Any) -> None:
    rows = used.rows("cost", "forecast", "--period", "week")
    assert rows[0]["method"].startswith("linear") and rows[0]["period"] == "week"
    assert rows[0]["forecast_usd"] >= rows[0]["spent_usd"] >= 0


def test_bars_only_when_they_are_wanted(used: Any) -> None:
    assert "█" not in used("cost", "report").stdout
    assert "█" in used("cost", "report", "--plot").stdout
    assert "█" in used("cost", "report", "--plot", "--by", "session").stdout
    used("cost", "report", "--plot", "--json", code=2)


def on_a_terminal(cli: Any, *words: str) -> str:
    """What a command shows on a terminal, stdout and stderr as one."""
    read, write = pty.openpty()
    command = [sys.executable, "-c", "from levaithan.cli.main import run; run()", "--home", str(cli.home), *words]
    running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=write, stderr=write, env=cli.env)
    os.close(write)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal is an error
        while part := os.read(read, 1 << 16):
            shown += part
    os.close(read)
    assert running.wait(60) == 0, shown
    return shown.decode()


def test_a_terminal_gets_bars_by_day(used: Any) -> None:
    assert "█" in on_a_terminal(used, "cost", "report")
    assert "█" not in on_a_terminal(used, "cost", "report", "--no-plot")
    assert "█" not in on_a_terminal(used, "cost", "report", "--by", "model")


def test_without_any_transcript_it_is_said(cli: Any) -> None:
    assert "no usage in this window" in cli("cost", "report").stderr
    assert "no sum of its own" in cli("cost", "check").stderr
    assert cli.rows("cost", "forecast")[0]["forecast_usd"] == 0


def test_what_makes_no_sense_is_exit_2(cli: Any) -> None:
    for words in (["report", "--by", "planet"], ["forecast", "--period", "year"], ["report", "--since", "later"]):
        assert "next:" in cli("cost", *words, code=2).stderr, words
    shutil.rmtree(cli.home)
    assert "next:" in cli("cost", "report", code=4).stderr
