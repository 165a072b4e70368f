"""The room of policy: packs as files, cases that are asked about, the record replayed with other rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes

from levaithan.hot.paths import Home, home_at
from levaithan.hot.policy_pack import PackError
from levaithan.policy import backtest, packs, trial

PACK = """
[[rule]]
id = "own.no-make"
severity = "low"
effect = "ask"
runs = ["make deploy"]
reason = "would deploy"
instead = "ask"
[rule.examples]
deny = ["make deploy"]
allow = ["make test"]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return home_at(homes.make_home(tmp_path_factory.mktemp("room") / "h", native=False))


def _record(command: str, **more: Any) -> dict[str, Any]:
    payload = {"tool_name": "Bash", "tool_input": {"command": command}, "cwd": "/home/dev/demo"}
    return {
        "event": "PreToolUse",
        "id": command,
        "decision": "allow",
        "payload": payload,
        "cwd": "/home/dev/demo",
        **more,
    }


def test_every_shipped_pack_is_good(home: Home) -> None:
    rows = packs.looked_at(packs.files(home))
    assert [row["problem"] for row in rows] == [None] * len(rows)
    assert {"base", "git", "filesystem", "secrets", "network", "privilege", "publishing", "guard"} <= {
        row["name"] for row in rows
    }
    assert sum(row["rules"] for row in rows) > 80


def test_a_bad_pack_is_named_with_file_line_and_reason(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(PACK)
    bad.write_text(PACK.replace('deny = ["make deploy"]', 'deny = ["make test"]'))
    rows = packs.looked_at([good, bad, tmp_path / "missing.toml"])
    assert [row["rules"] for row in rows] == [1, 0, 0]
    assert rows[0]["problem"] is None
    assert str(bad) + ":2" in rows[1]["problem"]
    assert "make test" in rows[1]["problem"]
    assert "No such file" in rows[2]["problem"]


def test_the_record_is_replayed_with_another_pack(home: Home, tmp_path: Path) -> None:
    also = tmp_path / "own.toml"
    also.write_text(PACK)
    records = [
        _record("make deploy"),
        _record("make test"),
        _record("rm -rf /", decision="deny", rule="fs.delete-root", hook="policy_check"),
        _record("ls", decision="deny", rule="old.rule", hook="policy_check"),
        _record("rm -rf /", decision="deny", rule="old.rule", hook="policy_check"),
        _record("ls", decision="halt", hook="halt_check"),
        _record("make deploy", canary=True),
        {"event": "PostToolUse", "payload": {}},
        {"event": "PreToolUse", "raw": "no JSON"},
    ]
    totals = backtest.Totals()
    rows = list(backtest.changes(records, home, packs.compiled(home, [also]), totals))
    assert [(row["id"], row["was"], row["now"], row["now_rule"]) for row in rows] == [
        ("make deploy", "allow", "ask", "own.no-make"),
        ("ls", "deny", "allow", None),
        ("rm -rf /", "deny", "deny", "fs.delete-root"),
    ]
    assert (totals.events, totals.stricter, totals.looser, totals.another_rule) == (5, 1, 1, 1)
    with pytest.raises(PackError, match="stands in"):
        twice = tmp_path / "twice.toml"
        twice.write_text(PACK)
        packs.compiled(home, [also, twice])


def test_cases_are_answered_in_order_and_bad_lines_are_said(home: Home) -> None:
    asked = trial.Trial(home)
    lines = [
        json.dumps(
            {
                "id": "a",
                "tool_name": "Bash",
                "tool_input": {"command": "rm -rf ~"},
                "cwd": "/home/x/p",
                "home": "/home/x",
            }
        ),
        json.dumps({"id": "b", "tool_name": "Bash", "tool_input": {"command": "ls"}, "cwd": "/home/x/p"}),
        "{no",
        json.dumps({"id": "c", "tool_name": "Bash"}),
        json.dumps(
            {"id": "d", "tool_name": "Read", "tool_input": {"file_path": "~/.aws/credentials"}, "home": "/home/x"}
        ),
    ]
    rows = [trial.answer(asked, line, number) for number, line in enumerate(lines, 1)]
    assert [row["id"] for row in rows] == ["a", "b", None, "c", "d"]
    assert [row.get("decision") for row in rows] == ["deny", "allow", None, None, "deny"]
    assert "/home/x" in rows[0]["reason"]
    assert "line 3" in rows[2]["error"]
    assert "line 4" in rows[3]["error"]


def test_the_score_counts_by_category() -> None:
    score = trial.Score()
    assert score.add({"label": "block", "category": "git"}, "ask") is True
    assert score.add({"label": "block", "category": "git"}, "allow") is False
    assert score.add({"label": "allow", "category": "fs"}, "allow") is True
    assert score.add({}, "deny") is None
    assert [(row["category"], row["block_right"], row["block"], row["allow_rate"]) for row in score.rows()] == [
        ("fs", 0, 0, 1.0),
        ("git", 1, 2, None),
        ("all", 1, 2, 1.0),
    ]


def _failed(home: Home, code: int, *words: str) -> tuple[str, str]:
    done = homes.cli(home.root, *words, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def test_the_commands_of_the_command_line(home: Home, tmp_path: Path) -> None:
    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"id":"a","tool_name":"Bash","tool_input":{"command":"git push -f"},"label":"block"}\n{no\n')
    answers, told = _failed(home, 1, "policy", "test", str(cases), "--score")
    assert [json.loads(line).get("decision") for line in answers.splitlines()] == ["deny", None]
    assert "block 1/1" in told
    bad = tmp_path / "bad.toml"
    bad.write_text(PACK.replace("low", "none"))
    assert "severity" in _failed(home, 5, "policy", "packs", str(bad))[0]
    assert "severity" in _failed(home, 2, "policy", "backtest", "--with", str(bad))[1]
    assert "0 events" in homes.cli(home.root, "policy", "backtest").stderr
    shown = json.loads(homes.cli(home.root, "policy", "explain", "sudo rm -rf /", "--json").stdout)["rows"][0]
    assert (shown["decision"], shown["rule"]) == ("deny", "fs.delete-root")
    assert "rm -rf /" in shown["commands"]


def test_a_replay_goes_by_the_charter_as_the_hook_does(tmp_path: Path) -> None:
    home = home_at(homes.make_home(tmp_path / "h", native=False))
    record = _record("git push --force origin main", decision="deny", hook="policy_check", rule="git.force-push")
    held = packs.compiled(home, [])
    Path(home.context, "charter.toml").write_text('[policy]\noff = ["git"]\n')
    totals = backtest.Totals()
    (row,) = backtest.changes([record], home, packs.compiled(home, []), totals)
    assert (row["was"], row["now"], totals.looser) == ("deny", "allow", 1)
    assert len(packs.compiled(home, [])) < len(held)
    granted = _record("git push --force origin main", hook="approval_reserve", rule="approval.granted")
    assert list(backtest.changes([granted], home, held, backtest.Totals())) == []
