"""What happened, asked as a person asks: from a journal alone, with no service; the stores are caught up first."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import journals
import pytest

EVIL = "\x1b]0;owned\x07\u202e=cmd|' /C calc'!A0"


@pytest.fixture
def recorded(cli: Any) -> Any:
    journals.write(
        cli.home,
        [
            journals.event(1, "SessionStart", tool_name=None, tool_use_id=None),
            journals.event(5),
            journals.event(6, "PostToolUse", tool_use_id="toolu_0005", agent_id="a1", payload={"duration_ms": 1500}),
            journals.denied(9, EVIL, payload={"tool_input": {"command": "rm -rf /\nsecond line"}}),
            journals.event(12, tool_name="Read", session_id="canary", canary=True),
            journals.event(15, tool_name="Read", session_id="other"),
        ],
    )
    return cli


def test_a_row_has_what_is_promised_and_comes_newest_first(recorded: Any) -> None:
    rows = recorded.rows("audit", "list")
    promised = {"at", "event", "session_id", "agent_id", "tool_name", "tool_use_id", "decision", "rule", "reason"}
    assert [row["id"][-1] for row in rows] == ["f", "9", "6", "5", "1"]
    assert all(promised | {"duration_ms"} <= set(row) for row in rows)
    assert (rows[1]["decision"], rows[1]["rule"], rows[1]["reason"]) == ("deny", "shell.rm-root", EVIL)
    assert rows[1]["duration_ms"] == 0.91


@pytest.mark.parametrize(
    ("narrow", "expected"),
    [
        (["--tool", "Bash"], "965"),
        (["--event", "PreToolUse"], "f95"),
        (["--decision", "deny"], "9"),
        (["--session", "other"], "f"),
        (["--agent", "a1"], "6"),
        (["--rule", "shell.rm-root"], "9"),
        (["--since", journals.at(6), "--until", journals.at(15)], "96"),
        (["--canary", "--tool", "Read"], "fc"),
        (["--project", "/p", "--limit", "2"], "f9"),
        (["--since", "2026-11-24"], ""),
    ],
)
def test_filters(recorded: Any, narrow: list[str], expected: str) -> None:
    assert "".join(row["id"][-1] for row in recorded.rows("audit", "list", *narrow)) == expected


def test_pages_follow_one_another(recorded: Any) -> None:
    first = json.loads(recorded("audit", "list", "--json", "--limit", "3").stdout)
    second = json.loads(recorded("audit", "list", "--json", "--limit", "3", "--cursor", first["next"]).stdout)
    assert [row["id"][-1] for row in first["rows"] + second["rows"]] == ["f", "9", "6", "5", "1"]
    assert second["next"] is None
    assert "cursor" in recorded("audit", "list", "--cursor", "nonsense", code=2).stderr


def test_the_window_is_said_in_utc_on_stderr(recorded: Any) -> None:
    done = recorded("audit", "list", "--since", "2026-11-23T15:00:00Z", "--until", "2026-11-23T16:00:00+00:00")
    assert "window: 2026-11-23T15:00:00.000000Z to 2026-11-23T16:00:00.000000Z (UTC)" in done.stderr
    assert "window" not in done.stdout


def test_hostile_text_is_escaped_in_tables_and_csv_and_exact_in_json(recorded: Any) -> None:
    for words in (
        ["audit", "list"],
        ["audit", "show", "toolu_0009"],
        ["audit", "tail"],
        ["audit", "list", "--format", "csv"],
    ):
        shown = recorded(*words, env={"COLUMNS": "160"}).stdout
        assert "\x1b" not in shown and "\u202e" not in shown and "\\x1b]0;owned" in shown, words
    row = next(csv.DictReader(io.StringIO(recorded("audit", "list", "--decision", "deny", "--format", "csv").stdout)))
    assert row["reason"].startswith("\\x1b")
    assert recorded.rows("audit", "list", "--decision", "deny")[0]["reason"] == EVIL


def test_one_call_is_explained(recorded: Any) -> None:
    told = recorded("audit", "show", "toolu_0005").stdout
    for words in (
        "toolu_0005",
        "Bash",
        "echo 5",
        "allow",
        "it ran",
        "1.5 s",
        "halt_check",
        "policy_check",
        "PostToolUse",
    ):
        assert words in told
    told = recorded("audit", "show", "toolu_0009").stdout
    for words in ("rm -rf /", "second line", "deny", "shell.rm-root", "it did not run", "policy_check"):
        assert words in told
    by_event = recorded.rows("audit", "show", f"{9:032x}")[0]
    assert by_event["tool_use_id"] == "toolu_0009" and by_event["events"][0]["hooks"][0]["rule"] == "shell.rm-root"


def test_a_call_that_is_not_there_is_exit_1_with_a_next_step(recorded: Any) -> None:
    answer = json.loads(recorded("audit", "show", "toolu_none", "--json", code=1).stdout)
    assert answer["error"]["code"] == "not_found" and "toolu_none" in answer["error"]["message"]


def test_full_text(recorded: Any) -> None:
    assert [row["id"][-1] for row in recorded.rows("audit", "search", "second", "line")] == ["9"]
    assert "second line" in recorded.rows("audit", "search", "second")[0]["snippet"]
    assert recorded.rows("audit", "search", "nowhere") == []
    (recorded.home / ".env").write_text("LEVAITHAN_SEARCH=off\n")
    assert "LEVAITHAN_SEARCH=on" in recorded("audit", "search", "x", code=4).stderr


def test_the_ledger_is_caught_up_before_it_is_read(recorded: Any) -> None:
    assert len(recorded.rows("audit", "list")) == 5
    more = [journals.event(number) for number in range(1, 41)]
    journals.write(recorded.home, more)
    (recorded.home / "state/ledger.sqlite3").unlink()
    assert len(recorded.rows("audit", "list")) == 40


def test_an_export_is_whole_and_in_place_at_once(recorded: Any, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    done = recorded("audit", "export", "--output", str(target))
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert len(lines) == 5 and "exported 5 events" in done.stderr and done.stdout == ""
    assert lines[1]["record"]["payload"]["tool_input"]["command"] == "rm -rf /\nsecond line"
    assert sorted(os.listdir(tmp_path)) == ["home", "out.jsonl"]
    table = list(csv.DictReader(io.StringIO(recorded("audit", "export", "--format", "csv").stdout)))
    assert [row["decision"] for row in table] == ["allow", "deny", "allow", "allow", "allow"]
    missing = str(tmp_path / "no/where")
    assert f"{missing}: No such file" in recorded("audit", "export", "-o", missing, code=1).stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_the_null_device(recorded: Any, tmp_path: Path, closed: str) -> None:
    """The next file that is opened would take their place: what is said must not land in the ledger."""
    (recorded.home / "state/ledger.sqlite3").unlink(missing_ok=True)
    command = [sys.executable, "-c", "from levaithan.cli.main import run; run()", "--home", str(recorded.home)]
    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *command, "audit", "list", "--since", "2000-01-01"],
        env=recorded.env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == (0 if ">&-" in closed.split() else 6)
    assert len(recorded.rows("audit", "list")) == 5


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full")
def test_an_output_that_takes_nothing_is_said(recorded: Any) -> None:
    command = [sys.executable, "-c", "from levaithan.cli.main import run; run()", "--home", str(recorded.home), "audit"]
    for words in (["list"], ["list", "--json"], ["export"]):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(
                [*command, *words],
                env=recorded.env, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
            )  # fmt: skip
        assert done.returncode == 1
        assert "The output cannot be written: No space left on device" in done.stderr
        assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_an_export_replaces_no_device_no_pipe_no_link_and_no_folder(recorded: Any, tmp_path: Path) -> None:
    """A rename over it would do so, for root even over /dev/null, and for every program of the machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    recorded("audit", "export", "-o", str(pipe))
    said, _ = reader.communicate(timeout=20)
    assert len(said.splitlines()) == 5
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert len(recorded("audit", "export", "-o", "/dev/stdout").stdout.splitlines()) == 5
    link, there = tmp_path / "link", tmp_path / "there.jsonl"
    link.symlink_to(there)
    recorded("audit", "export", "-o", str(link))
    assert link.is_symlink()
    assert len(there.read_text().splitlines()) == 5
    told = recorded("audit", "export", "-o", str(tmp_path), code=2).stderr
    assert "is a folder" in told and "events.jsonl" in told
    if os.getuid() != 0:  # a mistake here would break the machine of whoever is root
        recorded("audit", "export", "-o", "/dev/null")
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_tail_follows(recorded: Any) -> None:
    before = [journals.event(1)]
    journals.write(recorded.home, before)
    # What a test run in the background has inherited is an interrupt that is ignored.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    script = "from levaithan.cli.main import run; run()"
    words = ["--home", str(recorded.home), "audit", "tail", "--follow", "--json", "--tool", "Bash"]
    child = subprocess.Popen(
        [sys.executable, "-c", heard + script, *words], stdout=subprocess.PIPE, text=True, env=recorded.env
    )
    assert child.stdout is not None
    try:
        assert json.loads(child.stdout.readline())["id"] == f"{1:032x}"
        journals.write(recorded.home, [*before, journals.event(2, tool_name="Read"), journals.event(3)])
        assert json.loads(child.stdout.readline())["id"] == f"{3:032x}"
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 130
    finally:
        child.kill()
        child.stdout.close()


def test_on_a_terminal_the_table_fits_and_has_colours_unless_told_not_to(recorded: Any) -> None:
    assert "\x1b[31mdeny" in on_a_terminal(recorded, {})
    plain = on_a_terminal(recorded, {"NO_COLOR": "1"})
    assert "\x1b" not in plain and "deny" in plain
    assert max(len(line) for line in plain.splitlines()) <= 90


def on_a_terminal(cli: Any, env: dict[str, str]) -> str:
    """What a terminal of 90 columns gets from `audit list`."""
    ours, theirs = pty.openpty()
    script = "from levaithan.cli.main import run; run()"
    child = subprocess.Popen(
        [sys.executable, "-c", script, "--home", str(cli.home), "audit", "list"],
        stdout=theirs, stderr=subprocess.DEVNULL, env=cli.env | {"COLUMNS": "90", "TERM": "xterm"} | env,
    )  # fmt: skip
    os.close(theirs)
    parts, until = [], time.monotonic() + 30
    while time.monotonic() < until:
        try:
            part = os.read(ours, 65_536)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    os.close(ours)
    assert child.wait(10) == 0
    return b"".join(parts).decode()


def test_sessions(recorded: Any) -> None:
    rows = recorded.rows("session", "list")
    assert {row["session_id"]: row["events"] for row in rows} == {journals.SESSION: 4, "other": 1}
    told = recorded("session", "show", journals.SESSION).stdout
    assert "a1" in told and "PreToolUse" in told and "deny" in told
    assert recorded("session", "show", "none", code=1).stderr.startswith("error: There is no session none")


def test_a_home_that_is_not_there_is_exit_4(cli: Any, tmp_path: Path) -> None:
    done = cli("audit", "list", "--home", str(tmp_path / "nowhere"), code=4)
    assert "setup" in done.stderr


def test_an_empty_home_has_no_events_and_says_so(cli: Any) -> None:
    done = cli("audit", "list")
    assert done.stdout == "" and "no events" in done.stderr
    assert cli.rows("audit", "list") == [] and cli.rows("session", "list") == []


@pytest.mark.parametrize(
    "words", [("audit", "show"), ("session", "show"), ("audit", "list", "--tool"), ("audit", "list", "--session")]
)
def test_a_name_that_is_no_text_is_a_usage_problem(recorded: Any, words: tuple[str, ...]) -> None:
    done = recorded(*words, "\udcff", "--json", code=2)
    answer = json.loads(done.stdout)
    assert answer["error"]["code"] == "usage" and answer["error"]["fix"]
    assert not (recorded.home / "logs" / "cli-errors.log").exists()


def test_events_are_counted_by_time_field_and_pattern(recorded: Any) -> None:
    rows = recorded.rows("audit", "histogram", "--interval", "5s")
    assert [row["count"] for row in rows] == [1, 3, 0, 1]
    assert rows[0]["start"] == journals.at(0)
    assert rows[0]["end"] == rows[1]["start"]
    assert sum(row["count"] for row in recorded.rows("audit", "histogram")) == 5, "without the canary"
    assert recorded.rows("audit", "top", "tool") == [{"value": "Bash", "count": 3}, {"value": "Read", "count": 1}]
    assert recorded.rows("audit", "top", "tool", "--canary")[1]["count"] == 2
    assert recorded.rows("audit", "top", "rule", "second", "line") == [{"value": "shell.rm-root", "count": 1}]
    assert recorded.rows("audit", "top", "event", "--decision", "deny", "nowhere") == []
    (row,) = recorded.rows("audit", "patterns", "second line")
    assert row["count"] == 1
    assert row["example"][-1] == "9"
    assert recorded("audit", "top", "words", code=2).stderr.count("event, tool, decision") == 1
    assert "no length of time" in recorded("audit", "histogram", "--interval", "soon", code=2).stderr


def test_counts_in_a_table_have_bars(recorded: Any) -> None:
    shown = recorded("audit", "histogram", "--interval", "5s").stdout
    assert "2026-11-23 15:00:05      3" in shown
    assert "\u2588" in shown
    assert "\x1b" not in recorded("audit", "patterns").stdout
    assert recorded("audit", "top", "tool", "--format", "csv").stdout.splitlines() == [
        "value,count",
        "Bash,3",
        "Read,1",
    ]
