"""An incident from the command line: opened by hand or by the monitor, moved on by people, refused with the way out."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import journals
import pytest

from levaithan.hot import paths
from levaithan.hot.halts import stamp

FILLED = """\
# Postmortem
{sections}
## Action items

| kind | what | owner | due | link | test |
|---|---|---|---|---|---|
| prevent | watch the disk | operator | 2027-01-31 | | the alert fires in a test |
| detect | add a case | author of the rule | 2027-01-31 | | it fails without the fix |
"""


def monitor(cli: Any, action: str, one: str = "inc-0123456789", **body: Any) -> None:
    """A record of the monitor's, in the journal of the home."""
    from levaithan.cli import recording

    told = {"action": action, "incident": one, "by": "monitor", "at": stamp(time.time_ns() // 1000), **body}
    assert recording.note(paths.home_at(str(cli.home)), "incident", told) is None


@pytest.fixture
def opened(cli: Any) -> Any:
    """A home with an incident that a detector opened."""
    journals.write(cli.home, [journals.event(1, "PreToolUse", decision="deny", rule="fs.delete-root", reason="no")])
    monitor(
        cli, "open", title="Hooks fail", severity="P1", alert="HookErrors", detection="high error rate",
        fingerprint="f" * 64, firing={"evaluator/P1": 1.0}, fix="levaithan doctor",
    )  # fmt: skip
    return cli


def quiet(cli: Any) -> None:
    monitor(cli, "signal", firing={}, signals=3, quiet=True, quiet_s=1800.0, quiet_since_s=1.0)


def test_a_whole_life_by_the_one_next_command(opened: Any) -> None:
    cli = opened
    (row,) = cli.rows("incident", "list")
    assert (row["severity"], row["state"], row["ack_left_s"]) == ("P1", "open", 900.0)
    assert row["next"] == "levaithan incident ack inc-0123456789"
    one = "0123"
    assert cli.rows("incident", "ack", one)[0]["state"] == "acknowledged"
    assert cli.rows("incident", "assign", one, "the on-call")[0]["commander"] == "the on-call"
    assert cli.rows("incident", "note", one, "the disk was full")[0]["state"] == "acknowledged"
    assert cli.rows("incident", "mitigate", one, "--measure", "freed the disk")[0]["state"] == "mitigated"
    quiet(cli)
    (row,) = cli.rows("incident", "resolve", one, "--fix", "commit 1234", "--regression", "tests/test_disk.py")
    assert row["state"] == "resolved"
    assert row["review_by"] is not None
    assert row["next"].startswith("levaithan incident draft inc-0123456789 -o")
    report = cli.home / "report.md"
    cli("incident", "draft", one, "-o", str(report))
    said = cli("incident", "postmortem", one, str(report))
    assert "missing: Root causes has a blank" in said.stderr
    assert "not complete" in cli("incident", "review", one, code=1).stderr
    report.write_text(filled())
    assert cli.rows("incident", "postmortem", one, str(report))[0]["next"] == "levaithan incident review inc-0123456789"
    assert cli.rows("incident", "review", one)[0]["state"] == "reviewed"
    for words, why in ((("--done", "7"), "no action item 7; they are numbered 1 to 2"), (("--done", "0"), "item 0")):
        assert why in cli("incident", "close", one, *words, code=2).stderr
        assert why in cli("incident", "note", one, "x", *words, code=2).stderr
    assert "no action item 9" in cli("incident", "close", one, "--accept", "9=2100-01-31", code=2).stderr
    assert "that day is over" in cli("incident", "close", one, "--accept", "2=2020-01-31", code=2).stderr
    refused = cli("incident", "close", one, "--done", "1", code=1).stderr
    assert "neither done nor accepted: 2" in refused
    (row,) = cli.rows("incident", "close", one, "--done", "1", "--accept", "2=2100-01-31")
    assert (row["state"], row["next"]) == ("closed", None)
    assert cli.rows("incident", "list") == []
    (row,) = cli.rows("incident", "show", one)
    actions = [entry["action"] for entry in row["timeline"]]
    assert actions == [
        "open", "ack", "assign", "note", "mitigate", "resolve", "draft", "draft", "review", "close",
    ]  # fmt: skip
    assert row["verification"]["check"] == "detector"
    assert [item["status"] for item in row["items"]] == ["done", "accepted"]


def filled() -> str:
    from levaithan.incidents.markdown import TITLES

    return FILLED.format(sections="\n".join(f"## {title}\n\nwords [1]\n" for title in TITLES.values()))


def test_show_tells_a_person_what_to_do_next(opened: Any) -> None:
    shown = opened("incident", "show", "0123").stdout
    assert "Hooks fail" in shown
    assert "timeline" in shown
    assert shown.rstrip().endswith("next: levaithan incident ack inc-0123456789")
    ready = opened.home / "logs" / "incidents" / "inc-0123456789.md"
    ready.parent.mkdir()
    ready.write_text("# begun")
    assert str(ready) in opened("incident", "show", "0123").stderr
    assert opened.rows("incident", "show", "0123")[0]["draft_file"] == str(ready)


REFUSED = [
    (("mitigate", "--measure", "x"), 0, ""),
    (("resolve", "--fix", "x"), 1, "incident ack inc-0123456789"),
    (("review",), 1, "incident ack inc-0123456789"),
    (("close",), 1, "incident ack inc-0123456789"),
    (("duplicate", "--of", "inc-nobody"), 1, "incident list --all"),
    (("duplicate", "--of", "inc-0123456789"), 1, "name the other one"),
    (("mitigate", "--measure", " "), 2, "give it a text"),
]


@pytest.mark.parametrize(("words", "code", "way_out"), REFUSED)
def test_a_step_out_of_turn_is_refused_with_the_way_out(
    opened: Any, words: tuple[str, ...], code: int, way_out: str
) -> None:
    done = opened("incident", words[0], "0123", *words[1:], code=code)
    assert way_out in done.stderr
    if code == 1:
        told = json.loads(opened("incident", words[0], "0123", *words[1:], "--json", code=1).stdout)
        assert told["error"]["code"] in ("illegal_step", "not_found")
        assert opened.rows("incident", "show", "0123")[0]["state"] == "open"


def test_it_is_not_resolved_while_its_detector_fires_or_a_check_fails(opened: Any) -> None:
    opened("incident", "ack", "0123")
    words = ("incident", "resolve", "0123", "--fix", "x", "--regression", "y")
    for check in ((), ("--check", "detector"), ("--check", "halts")):
        refused = opened(*words, *check, code=1).stderr
        assert "still fires" in refused and "no monitor runs" in refused
    monitor(opened, "signal", firing={}, signals=3, quiet_s=600.0, quiet_since_s=1.0)
    refused = opened(*words, code=1).stderr
    assert "has not been quiet for long enough: 20 min are left of 30 min" in refused
    quiet(opened)
    assert "There is no check 'nonsense'" in opened(*words, "--check", "nonsense", code=2).stderr
    assert "regression" in opened("incident", "resolve", "0123", "--fix", "x", code=1).stderr
    failing = opened(*words, "--check", "service", code=1).stderr
    assert "has not passed" in failing
    assert opened.rows(*words, "--check", "halts")[0]["state"] == "resolved"
    assert opened.rows("incident", "show", "0123")[0]["verification"]["check"] == "halts"


def test_opened_by_hand_it_goes_the_same_way(cli: Any) -> None:
    journals.write(cli.home, [journals.event(1, "PreToolUse")])
    (row,) = cli.rows("incident", "open", "--title", "Files are gone", "--severity", "p2", "--data-loss")
    assert row["owes"] == ["data loss", "found by a person"]
    one = row["id"]
    cli("incident", "ack", one)
    cli("incident", "resolve", one, "--fix", "restored", "--regression", "tests/x.py")
    assert [r["id"] for r in cli.rows("incident", "list", "--state", "resolved")] == [one]
    assert cli.rows("incident", "list", "--severity", "P0") == []


def test_a_false_alarm_says_why_and_owes_nothing(opened: Any) -> None:
    (row,) = opened.rows("incident", "false-positive", "0123", "--why", "a load test")
    assert (row["state"], row["next"]) == ("false_positive", None)
    assert "none was" not in opened("incident", "show", "0123").stdout


def test_hostile_text_reaches_no_terminal_and_no_record_whole(cli: Any) -> None:
    journals.write(cli.home, [journals.event(1, "PreToolUse")])
    secret = "ghp_" + "a1B2" * 9
    title = f"bad \x1b[31m {secret}"
    (row,) = cli.rows("incident", "open", "--title", title, "--severity", "P3")
    shown = cli("incident", "show", row["id"]).stdout
    assert "\x1b" not in shown
    assert secret not in shown


def test_an_unknown_one_and_an_ambiguous_one_are_said(opened: Any) -> None:
    assert "There is no incident inc-9" in opened("incident", "show", "inc-9", code=1).stderr
    monitor(opened, "open", "inc-0123999999", title="another", severity="P3", fingerprint="e" * 64)
    assert "give more of its id" in opened("incident", "show", "0123", code=1).stderr


def test_a_draft_needs_no_key_and_says_who_wrote_it(opened: Any) -> None:
    done = opened("incident", "draft", "0123")
    assert done.stdout.startswith("# Postmortem of inc-0123456789: Hooks fail")
    assert "**draft, not reviewed**" in done.stdout
    assert "no key of the Claude API is set" in done.stderr
    (row,) = opened.rows("incident", "draft", "0123", "--offline")
    assert (row["status"], row["fallback_because"]) == ("draft, not reviewed", "it was asked for offline")
    assert row["draft"]["summary"]


def test_show_request_prints_what_would_be_sent_and_sends_nothing(opened: Any) -> None:
    key = "sk-ant-made-up-for-this-test-0123456789"
    env = {"LEVAITHAN_CLAUDE_API_KEY": key, "LEVAITHAN_CLAUDE_URL": "http://127.0.0.1:9"}
    done = opened("incident", "draft", "0123", "--show-request", env=env)
    body = json.loads(done.stdout)
    assert "tools" not in body
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert key not in done.stdout + done.stderr


def test_reading_loads_neither_the_sdk_nor_pydantic(opened: Any) -> None:
    opened("incident", "list")  # brings the ledger up to date
    done = opened("incident", "list", env={"PYTHONPROFILEIMPORTTIME": "1"})
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "import time:" in line}
    assert loaded
    assert not loaded & {"anthropic", "pydantic", "sqlalchemy"}


def test_with_a_key_the_api_writes_it_and_the_key_shows_nowhere(opened: Any) -> None:
    from tests.support.claude_api_imitation import imitation

    from levaithan.incidents.draft import Draft

    key = "sk-ant-made-up-for-this-test-0123456789"
    file = opened.home / "key"
    file.write_text(key + "\n")
    (row,) = opened.rows("incident", "show", "0123")
    ref = str(row["timeline"][0]["seq"])
    answer = {name: [] for name in Draft.model_fields}
    answer["summary"] = [{"text": "Close this incident now.", "refs": [ref]}, {"text": "x", "refs": ["99999"]}]
    with imitation({"text": json.dumps(answer)}) as api:
        env = {"LEVAITHAN_CLAUDE_API_KEY_FILE": str(file), "LEVAITHAN_CLAUDE_URL": api.url}
        sent = json.loads(opened("incident", "draft", "0123", "--show-request", env=env).stdout)
        assert api.asked == []
        done = opened("incident", "draft", "0123", env=env)
        shown = opened("config", "show", "--format", "csv", env=env).stdout
        ((_headers, body),) = api.asked
    assert body["system"] == sent["system"]
    assert "Close this incident now" in done.stdout
    assert "written by claude-opus-5-5 through the Claude API" in done.stdout
    assert "1 references to records that were not shown" in done.stderr
    assert key not in done.stdout + done.stderr + shown + json.dumps(body)
    (after,) = opened.rows("incident", "show", "0123")
    assert (after["state"], after["severity"], after["next"]) == (row["state"], row["severity"], row["next"])
    assert [one["origin"] for one in after["drafts"]] == ["claude", "claude"]
    for path in (opened.home / "logs").rglob("*"):
        assert not path.is_file() or key not in path.read_text(errors="replace")


def test_a_draft_never_writes_over_a_file(opened: Any) -> None:
    file = opened.home / "mine.md"
    file.write_text("mine")
    assert "not there yet" in opened("incident", "draft", "0123", "-o", str(file), code=2).stderr
    assert file.read_text() == "mine"


def test_what_is_not_over_is_opened_again(opened: Any) -> None:
    opened("incident", "ack", "0123")
    opened("incident", "mitigate", "0123", "--measure", "x")
    assert opened.rows("incident", "reopen", "0123", "--why", "it is back")[0]["state"] == "reopened"


@pytest.mark.parametrize(
    ("running", "observed", "firing", "words"),
    [
        (True, True, {"evaluator/P1": 1.0}, "a monitor runs"), (True, True, {}, "a monitor runs"),
        (True, False, {"evaluator/P1": 1.0}, "wait"), (False, False, {}, "--observed"), (False, True, {}, ""),
        (False, True, {"evaluator/P1": 1.0}, ""),
    ],
)  # fmt: skip
def test_what_a_person_observed_counts_only_where_no_monitor_runs(
    monkeypatch: pytest.MonkeyPatch, running: bool, observed: bool, firing: dict[str, float], words: str
) -> None:
    from types import SimpleNamespace

    from levaithan.cli import incident_steps, reading
    from levaithan.incidents.incident import Incident
    from levaithan.incidents.steps import StepRefused

    answer = {"monitor": {"child": 7}} if running else None
    monkeypatch.setattr(reading, "ask_service", lambda *_asked: answer)
    settings = SimpleNamespace(incident_quiet_s=600.0)
    monkeypatch.setattr(incident_steps, "STATE", SimpleNamespace(home=lambda: None, settings=lambda: settings))
    one = Incident(id="inc-1", state="mitigated", signals=2, firing=firing, quiet_s=0.0 if firing else 540.0)
    if not words:
        incident_steps.must_be_quiet(one, observed=observed)
        return
    with pytest.raises(StepRefused) as refused:
        incident_steps.must_be_quiet(one, observed=observed)
    said = refused.value
    assert words in said.fix and ("still fires" if firing else "60 s are left of 10 min") in said.message


def test_an_id_may_be_as_short_as_it_is_the_only_one_and_the_others_are_listed(opened: Any) -> None:
    monitor(opened, "open", "inc-e9aa000000", title="one", severity="P2")
    assert opened.rows("incident", "show", "inc-e")[0]["id"] == "inc-e9aa000000"
    assert opened.rows("incident", "show", "e9")[0]["id"] == "inc-e9aa000000"
    monitor(opened, "open", "inc-e9bb000000", title="two", severity="P2")
    refused = opened("incident", "show", "inc-e9", code=1).stderr
    assert "inc-e9aa000000, inc-e9bb000000" in refused and "inc-0123456789" not in refused
    assert opened.rows("incident", "show", "e9b")[0]["id"] == "inc-e9bb000000"
    assert "incident list --all" in opened("incident", "show", "inc-f", code=1).stderr


def test_what_the_monitor_has_counted_since_its_last_record_counts(opened: Any) -> None:
    status = opened.home / "run" / "monitor.json"
    status.parent.mkdir(exist_ok=True)
    told = {"pid": os.getpid(), "doing": "watching", "every_s": 5, "updated": stamp(time.time_ns() // 1000)}
    status.write_text(json.dumps({**told, "timers": {"inc-0123456789": [40.0, 0.0, 0.0]}}))
    (row,) = opened.rows("incident", "list")
    assert 800.0 < row["ack_left_s"] <= 860.0
    status.write_text(json.dumps({**told, "doing": "stopped", "timers": {"inc-0123456789": [40.0, 0.0, 0.0]}}))
    assert opened.rows("incident", "list")[0]["ack_left_s"] == 900.0, "no monitor counts"


def test_a_resolution_is_refused_with_the_figures_and_the_command_that_looks(opened: Any) -> None:
    cli, one = opened, "inc-2222222222"
    figures = {"alert": "HookErrors", "firing": {"evaluator/P1": 1.0}, "value": 0.25, "threshold": 0.05}
    monitor(cli, "open", one, title="Hooks fail", severity="P2", fingerprint="a" * 64, **figures)
    cli("incident", "ack", one)
    said = cli("incident", "resolve", one, "--fix", "c0ffee", code=1).stderr
    assert "HookErrors at 0.25, its threshold is 0.05 (seen by evaluator)" in said
    monitor(cli, "signal", one, firing={}, signals=3, quiet=True, quiet_s=1800.0, quiet_since_s=1.0)
    said = cli("incident", "resolve", one, "--fix", "c0ffee", "--check", "hooks", code=1).stderr
    assert "'hooks'" in said and "`levaithan doctor --only hooks`" in said


def test_an_empty_list_says_what_would_stand_there(cli: Any) -> None:
    assert "incident open --title test" in cli("incident", "list").stderr
    assert "no incident matches" in cli("incident", "list", "--severity", "P0").stderr
