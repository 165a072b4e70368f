"""Budgets: what is spent counts once and everywhere it should; at its shares a limit warns, asks, denies and halts."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.transcripts import MODEL, Transcript
from tests.unit.hot.test_usage import RECORDED, read

from levaithan.hot import budgets, hotconf
from levaithan.hot.event import Event, parse
from levaithan.hot.gate import Gate
from levaithan.hot.opinion import Decision
from levaithan.hot.paths import Home
from levaithan.hot.spend import Spend, periods_of

NOW = "2026-11-24T12:00:00Z"
NOW_NS = 1_795_521_600 * 1_000_000_000


@pytest.fixture
def gate(scratch: Home) -> Iterator[Gate]:
    made = Gate(scratch, hotconf.HotConf(), json.loads)
    yield made
    _close(made)


def _close(gate: Gate) -> None:
    spend = gate._context.memory.pop("spend", None)
    if spend is not None:
        spend.close()


def _limit(home: Home, text: str, more: str = "") -> None:
    Path(home.context, "charter.toml").write_text(f"{more}\n[[budgets.limit]]\n{text}\n")


def _event(transcript: Transcript, name: str = "PreToolUse", *, project: str = "/srv/demo", **fields: Any) -> Event:
    payload: dict[str, Any] = {
        "session_id": transcript.session,
        "hook_event_name": name,
        "cwd": project,
        "transcript_path": str(transcript.path),
    }
    if name == "PreToolUse":
        payload |= {"tool_name": "Bash", "tool_input": {"command": "echo hi"}, "tool_use_id": "t"}
    made = parse({"event": name, "path": "native", "project": project}, json.dumps(payload | fields).encode())
    made.received_ns = NOW_NS
    return made


def _said(gate: Gate, event: Event) -> Decision:
    return gate.decide(event)[0].decision


def test_the_clock_of_these_tests_is_what_it_says() -> None:
    assert time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW_NS // 10**9)) == NOW
    assert periods_of(NOW) == {"day": "day:2026-11-24", "week": "week:2026-W48", "month": "month:2026-11"}
    assert periods_of("2026-01-01T00:00:00Z")["week"] == "week:2026-W01"
    assert periods_of("2027-01-01T00:00:00Z")["week"] == "week:2026-W53"
    assert periods_of("never") == {} == periods_of("")


def test_days_are_those_of_the_clock_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    try:
        assert periods_of("2026-12-01T03:00:00Z") == {
            "day": "day:2026-11-30",
            "week": "week:2026-W49",
            "month": "month:2026-11",
        }
    finally:
        monkeypatch.undo()
        time.tzset()


def test_without_limits_nothing_is_held_up_and_nothing_is_read(gate: Gate, tmp_path: Path) -> None:
    one = Transcript(tmp_path, "s-1")
    one.spend(1000)
    assert _said(gate, _event(one)).verdict == "allow"
    assert "spend" not in gate._context.memory


@pytest.mark.parametrize(
    ("spent", "verdict"), [(7.9, "allow"), (8.1, "allow"), (9.1, "ask"), (10.0, "deny"), (14.0, "deny"), (15.0, "halt")]
)
def test_what_follows_at_each_share(gate: Gate, scratch: Home, tmp_path: Path, spent: float, verdict: str) -> None:
    _limit(scratch, 'scope = "session"\nusd = 10\nwarn = 0.8\nask = 0.9\ndeny = 1.0\nhalt = 1.5')
    one = Transcript(tmp_path, "s-1")
    one.spend(spent)
    said = _said(gate, _event(one, attended="1"))
    assert said.verdict == verdict
    assert (said.rule == "budget.session") == (spent > 8)
    assert bool(said.context) == (spent == 8.1), "a warning reaches the model"
    if verdict != "allow":
        assert f"${spent:.2f} spent of $10.00" in (said.reason or "") and "Instead: " in (said.reason or "")


def test_a_warning_is_given_once_a_session(gate: Gate, scratch: Home, tmp_path: Path) -> None:
    _limit(scratch, 'scope = "day"\nusd = 10')
    one, two = Transcript(tmp_path, "s-1"), Transcript(tmp_path, "s-2")
    for _ in range(17):
        one.spend(0.5)
    assert [bool(_said(gate, _event(each)).context) for each in (one, one, two, two)] == [True, False, True, False]


def test_a_call_counts_once_however_often_it_stands(gate: Gate, scratch: Home, tmp_path: Path) -> None:
    _limit(scratch, 'scope = "day"\nusd = 10')
    one, resumed = Transcript(tmp_path, "s-1"), Transcript(tmp_path, "s-2")
    message_id = one.spend(2)
    for tokens in (100_000, 150_000):
        one.line(message_id, {"input_tokens": 0, "output_tokens": tokens}, at="2026-11-24T10:00:00Z")
        _said(gate, _event(one))
    resumed.line(message_id, {"input_tokens": 0, "output_tokens": 150_000}, at="2026-11-24T10:00:00Z")
    _said(gate, _event(resumed))
    spend = budgets.opened(gate._context)
    assert spend.spent("day:2026-11-24") == 3 * 10**9, "the last line wins, and the copy is not counted"
    assert spend.spent("session:s-1") == 3 * 10**9
    assert spend.spent("session:s-2") == 0


def test_every_bucket_of_a_call(gate: Gate, scratch: Home, tmp_path: Path) -> None:
    _limit(scratch, 'scope = "month"\nusd = 100')
    one = Transcript(tmp_path, "s-1")
    one.spend(1, at="2026-11-24T09:00:00Z")
    one.spend(2, at="2026-11-23T23:59:59Z")
    one.spend(4, at="2026-11-01T09:00:00Z")
    one.spend(8, at="2026-10-31T09:00:00Z")
    one.spend(16, at="2026-11-24T09:00:00Z", agent="a-1")
    _said(gate, _event(one))
    spend = budgets.opened(gate._context)
    wanted = {
        "session:s-1": 31,
        "agent:a-1": 16,
        "day:2026-11-24": 17,
        "week:2026-W48": 19,
        "month:2026-11": 23,
        "project:/srv/demo": 31,
        "project:/srv/demo|day:2026-11-24": 17,
        "project:/srv/demo|month:2026-11": 23,
    }
    assert {bucket: spend.spent(bucket) / 10**9 for bucket in wanted} == wanted


def test_a_task_pays_for_what_is_done_while_it_is_in_progress(gate: Gate, scratch: Home, tmp_path: Path) -> None:
    _limit(scratch, 'scope = "task"\nusd = 3')
    one = Transcript(tmp_path, "s-1")
    one.spend(5)

    def update(status: str) -> str:
        return _said(gate, _event(one, tool_name="TaskUpdate", tool_input={"taskId": "7", "status": status})).verdict

    assert update("in_progress") == "allow"
    one.spend(2)
    assert _said(gate, _event(one)).verdict == "allow"
    one.spend(2)
    assert _said(gate, _event(one)).rule == "budget.task"
    other = Transcript(tmp_path, "s-2")
    assert (
        _said(gate, _event(other, tool_name="TaskUpdate", tool_input={"taskId": "7", "status": "in_progress"})).verdict
        == "allow"
    )


def test_limits_for_one_target_leave_the_others_alone(gate: Gate, scratch: Home, tmp_path: Path) -> None:
    one, two = Transcript(tmp_path, "s-1"), Transcript(tmp_path, "s-2")
    one.spend(5)
    two.spend(5)
    for text, hits in (
        ('scope = "session"\ntarget = "s-1"\nusd = 1', (True, False)),
        ('scope = "project"\ntarget = "/srv/demo"\nusd = 1', (True, True)),
        ('scope = "project"\ntarget = "/srv/other"\nusd = 1', (False, False)),
        ('scope = "day"\ntarget = "/srv/other"\nusd = 1', (False, False)),
        ('scope = "day"\ntarget = "/srv/demo"\nusd = 1', (True, True)),
        ('scope = "agent"\ntarget = "reviewer"\nusd = 1', (False, False)),
    ):
        _limit(scratch, text)
        assert tuple(_said(gate, _event(each)).verdict == "deny" for each in (one, two)) == hits, text


def test_agents_have_budgets_of_their_own(gate: Gate, scratch: Home, tmp_path: Path) -> None:
    _limit(scratch, 'scope = "agent"\ntarget = "reviewer"\nusd = 1')
    one = Transcript(tmp_path, "s-1")
    one.spend(9)
    one.spend(2, agent="a-1")
    assert _said(gate, _event(one)).verdict == "allow"
    assert _said(gate, _event(one, agent_id="a-1", agent_type="reviewer")).rule == "budget.agent"
    assert _said(gate, _event(one, agent_id="a-2", agent_type="reviewer")).verdict == "allow"
    assert _said(gate, _event(one, agent_id="a-1", agent_type="writer")).verdict == "allow"


def test_a_project_of_its_own_file_has_its_own_day(gate: Gate, scratch: Home, tmp_path: Path) -> None:
    Path(scratch.context, "charter.toml").unlink()
    project = tmp_path / "demo"
    (project / ".claude").mkdir(parents=True)
    (project / ".claude" / "levaithan.toml").write_text('[[budgets.limit]]\nscope = "day"\nusd = 1\n')
    here, there = Transcript(tmp_path, "s-1"), Transcript(tmp_path, "s-2")
    there.spend(5)
    assert _said(gate, _event(there)).verdict == "allow"
    assert _said(gate, _event(here, project=str(project))).verdict == "allow"
    here.spend(2)
    said = _said(gate, _event(here, project=str(project)))
    assert (said.verdict, said.rule) == ("deny", "budget.day") and "in this project" in (said.reason or "")


def test_a_limit_of_the_terminal_takes_the_place_of_the_charters(gate: Gate, scratch: Home, tmp_path: Path) -> None:
    _limit(scratch, 'scope = "day"\nusd = 1')
    one = Transcript(tmp_path, "s-1")
    one.spend(2)
    assert _said(gate, _event(one)).verdict == "deny"

    def put(values: dict[str, Any]) -> bool:
        values.setdefault("limits", {})["day"] = {"scope": "day", "usd": 5.0}
        return True

    budgets.state_file(scratch).change(put)
    assert _said(gate, _event(one)).verdict == "allow"

    def freeze(values: dict[str, Any]) -> bool:
        values["limits"]["day"]["frozen"] = True
        return True

    budgets.state_file(scratch).change(freeze)
    assert "is frozen" in (_said(gate, _event(one)).reason or "")


def test_a_prompt_is_held_up_too(gate: Gate, scratch: Home, tmp_path: Path) -> None:
    _limit(scratch, 'scope = "day"\nusd = 1')
    one = Transcript(tmp_path, "s-1")
    one.spend(2)
    assert _said(gate, _event(one, "UserPromptSubmit", prompt="go on")).rule == "budget.day"


def test_what_is_under_way_counts_for_others_and_is_given_back(gate: Gate, scratch: Home, tmp_path: Path) -> None:
    _limit(scratch, 'scope = "day"\nusd = 1', "[budgets]\nreserve_usd = 0.6")
    one, two = Transcript(tmp_path, "s-1"), Transcript(tmp_path, "s-2")
    assert [_said(gate, _event(one)).verdict for _ in range(3)] == ["allow"] * 3, "its own tools at once"
    assert _said(gate, _event(two)).verdict == "allow"
    three = Transcript(tmp_path, "s-3")
    assert "$1.20 under way" in (_said(gate, _event(three)).reason or "")
    gate.decide(_event(one, "PostToolBatch", tool_calls=[]))
    assert _said(gate, _event(one)).verdict == "deny", "its own call is not settled yet"
    one.spend(0.1)
    assert _said(gate, _event(one)).verdict == "allow", "settled: 0.10 spent, 0.60 of the other under way"
    gate.decide(_event(two, "SessionEnd", reason="other"))
    spend = budgets.opened(gate._context)
    assert spend.reserved("day:2026-11-24", NOW_NS // 1000) == 10**8, "like its calls so far"
    assert spend.reserved("day:2026-11-24", NOW_NS // 1000 + 3600 * 10**6) == 0


def test_a_reservation_is_given_back_when_the_event_is_refused_after_all(scratch: Home, tmp_path: Path) -> None:
    _limit(scratch, 'scope = "day"\nusd = 1')
    Path(scratch.hooks, "refuses.py").write_text(
        "from levaithan.hot.opinion import Opinion\ndef hook(event, context):\n    return Opinion('deny', 'no', 'x')\n"
    )
    flows = Path(scratch.context, "workflows.toml")
    flows.write_text(flows.read_text().replace('"approval_reserve"]', '"approval_reserve", "refuses"]'))
    gate = Gate(scratch, hotconf.HotConf(), json.loads)
    assert _said(gate, _event(Transcript(tmp_path, "s-1"))).rule == "x"
    assert budgets.opened(gate._context).reserved("day:2026-11-24", NOW_NS // 1000) == 0
    _close(gate)


def test_fifty_sessions_at_once_overspend_by_no_more_than_a_call_each(scratch: Home, tmp_path: Path) -> None:
    _limit(scratch, 'scope = "day"\nusd = 20')
    chance = random.Random(3)
    gates = [Gate(scratch, hotconf.HotConf(), json.loads) for _ in range(5)]  # several processes would be like these
    sessions = [Transcript(tmp_path, f"s-{n}") for n in range(50)]
    live, total, dearest, late = list(sessions), 0.0, 0.0, dict.fromkeys(range(50), 0.0)
    while live:
        one = chance.choice(live)
        number = sessions.index(one)
        if late[number]:  # the transcript tells of a call a while after it was made
            one.spend(late[number])
            late[number] = 0.0
        if _said(chance.choice(gates), _event(one)).verdict != "allow":
            live.remove(one)
            continue
        gates[0].decide(_event(one, "PostToolBatch", tool_calls=[]))
        late[number] = chance.choice((0.02, 0.1, 0.4))
        total, dearest = total + late[number], max(dearest, late[number])
    assert 19 < total <= 20 + 50 * dearest
    for gate in gates:
        _close(gate)


def test_what_was_spent_is_known_to_the_next_process(scratch: Home, tmp_path: Path) -> None:
    one = Transcript(tmp_path, "s-1")
    one.spend(2)
    first = Gate(scratch, hotconf.HotConf(), json.loads)
    first.decide(_event(one, "Stop", stop_hook_active=False))
    _close(first)
    one.path.unlink()
    _limit(scratch, 'scope = "day"\nusd = 1')
    second = Gate(scratch, hotconf.HotConf(), json.loads)
    assert _said(second, _event(Transcript(tmp_path, "s-2"))).rule == "budget.day"
    _close(second)


def test_sums_that_are_damaged_are_set_aside_and_made_anew(gate: Gate, scratch: Home, tmp_path: Path) -> None:
    _limit(scratch, 'scope = "day"\nusd = 1')
    one = Transcript(tmp_path, "s-1")
    one.spend(2)
    assert _said(gate, _event(one)).verdict == "deny"
    _close(gate)
    path = Path(scratch.state, "spend.sqlite")
    path.write_bytes(b"\x00garbage" * 1000)
    assert _said(gate, _event(one)).rule == "budget.day"
    assert Path(str(path) + ".damaged").exists()


def test_sums_that_cannot_be_had_deny_where_there_is_a_limit(gate: Gate, scratch: Home, tmp_path: Path) -> None:
    Path(scratch.state, "spend.sqlite").mkdir()
    one = Transcript(tmp_path, "s-1")
    assert _said(gate, _event(one)).verdict == "allow"
    _limit(scratch, 'scope = "day"\nusd = 1')
    assert _said(gate, _event(one)).rule == "hook-failed"


def test_a_model_without_a_price_is_flagged_and_not_guessed(gate: Gate, scratch: Home, tmp_path: Path) -> None:
    _limit(scratch, 'scope = "day"\nusd = 1')
    one = Transcript(tmp_path, "s-1")
    one.spend(500, model="claude-unknown-9")
    assert _said(gate, _event(one)).verdict == "allow"
    ((model, calls, tokens),) = budgets.opened(gate._context).unpriced()
    assert (model, calls, tokens > 0) == ("claude-unknown-9", 1, True)


@pytest.mark.parametrize("path", ["\x00", "/dev/zero", "/proc/self/mem", "", "/nowhere/x.jsonl", "/tmp"])
def test_a_transcript_that_is_none_stops_nobody(gate: Gate, scratch: Home, tmp_path: Path, path: str) -> None:
    _limit(scratch, 'scope = "day"\nusd = 1')
    assert _said(gate, _event(Transcript(tmp_path, "s-1"), transcript_path=path)).verdict == "allow"


def test_old_calls_are_swept_and_the_sums_stay(scratch: Home, tmp_path: Path) -> None:
    one = Transcript(tmp_path, "s-1")
    one.spend(3, at="2026-01-05T10:00:00Z")
    one.spend(1)
    spend = Spend(scratch, json.loads)
    spend.one_step(lambda: (spend.settle("s-1", str(one.path), None), spend.sweep(NOW_NS // 1000)))
    assert spend.spent("session:s-1") == 4 * 10**9
    assert [row[0] for row in spend._db.execute("SELECT day FROM calls")] == ["2026-11-24"]
    spend.close()


def test_the_model_is_one_with_a_known_price(tmp_path: Path, scratch: Home) -> None:
    assert MODEL
    one = Transcript(tmp_path, "s-1")
    one.spend(0.123456)
    spend = Spend(scratch, json.loads)
    spend.one_step(lambda: spend.settle("s-1", str(one.path), None))
    assert spend.spent("session:s-1") == 123_460_000, "tokens are whole"
    spend.close()


@pytest.mark.parametrize("frozen", [False, True])
def test_who_goes_on_with_tools_after_a_refusal_is_ended(
    gate: Gate, scratch: Home, tmp_path: Path, frozen: bool
) -> None:
    """Each refusal goes back to the model, and that is one more call: a budget that only denied would be no limit."""
    _limit(scratch, 'scope = "session"\nusd = 1')
    if frozen:
        values = {"limits": {"session": {"scope": "session", "usd": 9.0, "frozen": True}}}
        budgets.state_file(scratch).change(lambda kept: kept.update(values) or True)
    one, two = Transcript(tmp_path, "s-1"), Transcript(tmp_path, "s-2")
    one.spend(2)
    two.spend(2)
    assert [_said(gate, _event(one)).verdict for _ in range(3)] == ["deny"] * 3, "of one answer of the model"
    one.spend(0.1)
    said = _said(gate, _event(one))
    assert (said.verdict, said.rule) == ("halt", "budget.session") and "as was said before" in (said.reason or "")
    assert _said(gate, _event(two)).verdict == "deny", "another session has not been told yet"
    one.spend(0.1, agent="a-1")
    assert _said(gate, _event(one, agent_id="a-1")).verdict == "deny", "nor has another agent"
    assert _said(gate, _event(one, "UserPromptSubmit", prompt="go on")).verdict == "deny", "a prompt costs no call"


@pytest.mark.parametrize("damage", [b"", b"{}", None])
def test_limits_that_cannot_be_read_let_nothing_be_spent(
    gate: Gate, scratch: Home, tmp_path: Path, damage: bytes | None
) -> None:
    """Losing what people have set must not look like their having set nothing."""
    one, path = Transcript(tmp_path, "s-1"), Path(scratch.state, "budgets.json")
    budgets.state_file(scratch).change(lambda kept: kept.update(limits={"day": {"scope": "day", "usd": 5.0}}) or True)
    assert _said(gate, _event(one)).verdict == "allow"
    path.write_bytes(path.read_bytes().replace(b"5.0", b"9.0") if damage is None else damage)
    for event in (_event(one), _event(one, "UserPromptSubmit", prompt="go on")):
        said = _said(gate, event)
        assert (said.verdict, said.rule) == ("deny", "budget.unreadable")
        assert str(path) in (said.reason or "") and "levaithan doctor --fix" in (said.reason or "")
    with pytest.raises(OSError, match="cannot be read"):
        budgets.limits(scratch)
    path.unlink()
    assert _said(gate, _event(one)).verdict == "allow"


@pytest.mark.parametrize("transcript", RECORDED, ids=lambda path: path.parent.name)
def test_what_a_recorded_session_spent_is_the_clients_figure_to_the_cent(scratch: Home, transcript: Path) -> None:
    """With its subagents, read as it grew: a budget is held by what the client itself says."""
    client = read(transcript).client
    assert client is not None
    spend = Spend(scratch, json.loads)
    for _ in range(2):
        spend.one_step(lambda: spend.settle("s-1", str(transcript), "/srv/demo"))
    told = 0.0 if client["hasUnknownModelCost"] else client["totalCostUSD"]
    for bucket in ("session:s-1", "project:/srv/demo"):
        assert abs(spend.spent(bucket) / 10**9 - told) < 1e-9
    assert bool(spend.unpriced()) == client["hasUnknownModelCost"]
    spend.close()
