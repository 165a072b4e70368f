"""Pace through the gate: every quota and its words, what counts and what is given back, and the wait after a 429."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from levaithan.hot import hotconf, pace, windows
from levaithan.hot.event import Event, parse
from levaithan.hot.gate import Gate
from levaithan.hot.opinion import Decision
from levaithan.hot.paths import Home

ROOT = Path(__file__).parents[3]
START = 1_700_000_000
_QUIET = "repeats_warn = 0\nrepeats_deny = 0\npingpong_deny = 0\n"


def _gate(scratch: Home, settings: str = "", *, quiet: bool = True) -> Gate:
    """A gate whose charter has these settings of [pace]; quiet: loops are not looked for."""
    Path(scratch.context, "charter.toml").write_text("[pace]\n" + (_QUIET if quiet else "") + settings)
    return Gate(scratch, hotconf.HotConf())


def _event(at: float = 0, name: str = "PreToolUse", *, path: str = "native", **more: Any) -> Event:
    payload: dict[str, Any] = {"session_id": "s-1", "hook_event_name": name, "cwd": "/tmp"}
    if name == "PreToolUse":
        payload |= {"tool_name": "Bash", "tool_input": {"command": "echo hi"}, "tool_use_id": "t"}
    header = {"event": name, "path": path, "attended": "1"}
    event = parse(header, json.dumps(payload | more).encode())
    event.received_ns = int((START + at) * 1_000_000_000)
    return event


def _said(gate: Gate, *args: Any, **more: Any) -> Decision:
    return gate.decide(_event(*args, **more))[0].decision


def _through(gate: Gate, times: int, at: float = 0, **more: Any) -> list[str | None]:
    """The rules of `times` calls."""
    return [_said(gate, at, **more).rule for _ in range(times)]


@pytest.mark.parametrize("path", ["native", "oneshot"])
@pytest.mark.parametrize(
    ("setting", "rule", "other"),
    [
        ("calls_per_minute", "pace.calls", {"session_id": "s-2"}),
        ("calls_per_minute_by_agent", "pace.agent", {"agent_id": "a-2"}),
        ("calls_per_minute_by_tool", "pace.tool", {"tool_name": "Other"}),
        ("calls_per_minute_by_project", "pace.project", {"session_id": "s-2", "cwd": "/var/tmp"}),
    ],
)
def test_a_quota_refuses_what_is_over_it_and_nothing_else(
    scratch: Home, setting: str, rule: str, other: dict[str, Any], path: str
) -> None:
    gate = _gate(scratch, f"{setting} = 3\n")
    assert _through(gate, 4, path=path) == [None, None, None, rule]
    assert _through(gate, 1, path=path, **other) == [None]
    assert gate.problems == []


def test_a_refusal_says_what_was_seen_and_when_it_may_go_on(scratch: Home) -> None:
    gate = _gate(scratch, "calls_per_minute = 2\n")
    _through(gate, 2, 10)
    decision = _said(gate, 25)
    assert decision.verdict == "deny" and decision.reason == (
        "LevAIthan: 2 calls of this session in the last minute, the limit is 2 [rule pace.calls]: "
        "wait 46 s; do fewer, larger steps"
    )
    assert _through(gate, 1, 25 + 45) == ["pace.calls"]
    assert _through(gate, 3, 25 + 46) == [None, None, "pace.calls"]


def test_two_sessions_of_a_project_share_its_quota(scratch: Home) -> None:
    gate = _gate(scratch, "calls_per_minute_by_project = 2\n")
    assert _through(gate, 1) + _through(gate, 2, session_id="s-2") == [None, None, "pace.project"]


def test_what_is_refused_does_not_count(scratch: Home) -> None:
    gate = _gate(scratch, "calls_per_minute = 2\n")
    blocked = _through(gate, 5, tool_input={"command": "rm -rf /"})
    assert None not in blocked and not any((rule or "").startswith("pace.") for rule in blocked)
    assert _through(gate, 5) == [None, None, "pace.calls", "pace.calls", "pace.calls"]
    assert _through(gate, 2, 61) == [None, None], "the refused calls did not hold it up"


@pytest.mark.parametrize("path", ["native", "oneshot"])
def test_what_a_later_reservation_refuses_is_given_back(scratch: Home, path: str) -> None:
    Path(scratch.hooks, "refuses.py").write_text(
        "from levaithan.hot.opinion import Opinion\n"
        "def hook(event, context):\n"
        "    return Opinion('deny', 'no', 'x') if event.tool_name == 'Refused' else None\n"
    )
    flows = Path(scratch.context, "workflows.toml")
    flows.write_text(flows.read_text().replace('"approval_reserve"]', '"approval_reserve", "refuses"]', 1))
    settings = "calls_per_minute = 2\ncalls_per_minute_by_project = 2\nrepeats_deny = 3\n"
    gate = _gate(scratch, settings, quiet=False)
    refused = _through(gate, 6, tool_name="Refused", path=path)
    assert refused == ["x"] * 6, "neither the quotas nor the loop counted one of them"
    assert _through(gate, 3, path=path)[:2] == [None, None]


def test_hammering_at_the_guard_is_refused_until_the_minute_is_over(scratch: Home) -> None:
    gate = _gate(scratch, "denials_per_minute = 3\n")
    for second in range(3):
        assert _said(gate, second, tool_input={"command": "rm -rf /"}).rule != "pace.denials"
    decision = _said(gate, 5)
    assert decision.rule == "pace.denials" and "3 calls of this session were refused" in (decision.reason or "")
    assert _through(gate, 1, 5, session_id="s-2") == [None]
    assert _through(gate, 20, 30) == ["pace.denials"] * 20
    assert _through(gate, 1, 61) == [None], "its own refusals do not count, or it would never end"


@pytest.mark.parametrize("path", ["native", "oneshot"])
@pytest.mark.parametrize(
    ("by", "same", "other"),
    [
        ("agent", {"agent_id": "a-1"}, {"agent_id": "a-2"}),
        ("tool", {"session_id": "s-1"}, {"tool_name": "Other"}),
        ("project", {"session_id": "s-2"}, {"session_id": "s-2", "cwd": "/var/tmp"}),
    ],
)
def test_refusals_are_counted_by_each(
    scratch: Home, by: str, same: dict[str, Any], other: dict[str, Any], path: str
) -> None:
    gate = _gate(scratch, f"denials_per_minute = 0\ndenials_per_minute_by_{by} = 3\n")
    first = {"agent_id": "a-1"} if by == "agent" else {}
    for second in range(3):
        said = _said(gate, second, tool_input={"command": "rm -rf /"}, path=path, **first)
        assert said.verdict == "deny" and said.rule != "pace.denials"
    assert _through(gate, 2, 5, path=path, **same) == ["pace.denials"] * 2
    assert _through(gate, 1, 5, path=path, **other) == [None]
    assert _through(gate, 1, 61, path=path, **same) == [None]


def test_exempt_tools_are_not_counted_and_do_not_end_a_run(scratch: Home) -> None:
    gate = _gate(scratch, 'calls_per_minute = 4\nrepeats_deny = 3\nexempt = ["Waits"]\n', quiet=False)
    assert _through(gate, 30, tool_name="Waits") == [None] * 30
    mixed = [_through(gate, 1, tool_name=name)[0] for name in ("Bash", "Waits", "Bash", "Waits", "Bash")]
    assert mixed == [None, None, None, None, "pace.loop"]


def test_loops_are_of_each_agent_and_told_to_the_model(scratch: Home) -> None:
    gate = _gate(scratch, "repeats_warn = 2\nrepeats_deny = 4\n", quiet=False)
    for agent in ("a-1", "a-2"):
        said = [_said(gate, agent_id=agent) for _ in range(4)]
        assert [one.verdict for one in said] == ["allow", "allow", "allow", "deny"]
        assert "call 2 in a row" in (said[1].context or "") and said[0].context is None
        assert said[3].rule == "pace.loop"
    assert _said(gate, agent_id="a-1", tool_name="Other").verdict == "allow"
    assert _said(gate, agent_id="a-1").verdict == "allow"


def test_a_new_process_without_a_service_sees_the_same_loop_and_quota(scratch: Home) -> None:
    settings = "repeats_deny = 3\n"
    for expected in (None, None, "pace.loop"):
        gate = _gate(scratch, settings, quiet=False)
        assert _through(gate, 1, path="oneshot") == [expected]


def test_separate_processes_see_the_same_loop(scratch: Home) -> None:
    Path(scratch.context, "charter.toml").write_text("[pace]\nrepeats_deny = 3\n")
    Path(scratch.hot_conf).write_text(f"python={sys.executable}\nsrc={ROOT / 'src'}\n")
    payload = _event().payload
    command = [sys.executable, "-I", "-S", str(ROOT / "src/levaithan/hot/oneshot.py"), "PreToolUse", "--home"]
    said = [
        subprocess.run(
            [*command, scratch.root],
            input=json.dumps(payload).encode(),
            capture_output=True,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
            timeout=60,
            check=True,
        ).stdout
        for _ in range(3)
    ]
    assert b"pace.loop" not in said[0] + said[1] and b"pace.loop" in said[2]


def test_switched_off_it_says_and_keeps_nothing(scratch: Home) -> None:
    gate = _gate(scratch, "enabled = false\ncalls_per_minute = 1\nrepeats_deny = 2\n", quiet=False)
    assert _through(gate, 5, path="oneshot") == [None] * 5
    assert not Path(scratch.state, "pace").exists()


def test_probes_of_ours_are_not_held_up(scratch: Home) -> None:
    gate = _gate(scratch, "calls_per_minute = 1\n")
    assert _through(gate, 3, session_id="levaithan-canary-1") == [None] * 3


def test_the_memory_of_the_service_is_bounded(scratch: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_SESSIONS", 16)
    monkeypatch.setattr(pace, "_NAMES", 16)
    gate = _gate(scratch, "calls_per_minute = 30\ncalls_per_minute_by_tool = 5\n", quiet=False)
    for number in range(100):
        _said(gate, session_id=f"s-{number}")
        _said(gate, session_id="busy", tool_name=f"tool-{number % 20}", agent_id=f"a-{number}")
    memory = gate._context.memory["pace"]
    assert len(memory) <= 16 and "busy" in memory, "who was heard of last is remembered"
    assert len(memory["busy"]["windows"]) <= 16 and len(memory["busy"]["runs"]) <= 16
    assert memory["busy"]["windows"]["calls"][0] == 30, "its own quota is not forgotten for names from outside"


@pytest.mark.parametrize("seed", range(20))
def test_in_no_window_of_a_minute_more_than_the_limit_is_let_through(seed: int) -> None:
    chance = random.Random(seed)
    limit, window, now, passed = chance.randint(1, 40), [0, []], 1000.0, []
    for _ in range(3000):
        now += chance.choice((0.0, 0.01, 0.4, 3.0, 0.9))
        second = int(now)
        if windows.slide(window, second) < limit:
            windows.add(window, second)
            passed.append(now)
        else:
            wait = windows.wait(window, second, limit)
            assert 1 <= wait <= 61
            copied = [window[0], [list(one) for one in window[1]]]
            assert windows.slide(copied, second + wait) < limit
        assert len(window[1]) <= 61 and window[0] == sum(count for _, count in window[1])
    worst = max(sum(1 for one in passed if begin <= one < begin + 60) for begin in passed)
    assert worst <= limit < len(passed)


def test_a_clock_that_is_set_back_does_not_lock_a_session_out(scratch: Home) -> None:
    gate = _gate(scratch, "calls_per_minute = 2\n")
    assert _through(gate, 3, 86_400) == [None, None, "pace.calls"]
    assert _through(gate, 3, 0) == [None, None, "pace.calls"]


# --- the wait after a 429 ----------------------------------------------------------------------------------------


def _failed(gate: Gate, at: float, error: str = "rate_limit", **more: Any) -> None:
    payload = json.loads((ROOT / "tests/data/payloads/StopFailure.json").read_text()) | {"error": error}
    gate.decide(_event(at, "StopFailure", **(payload | more)))


def _prompt(gate: Gate, at: float, **more: Any) -> Decision:
    return _said(gate, at, "UserPromptSubmit", **({"prompt": "go on"} | more))


@pytest.mark.parametrize("path", ["native", "oneshot"])
def test_after_a_429_every_session_waits_with_new_work_alone(scratch: Home, path: str) -> None:
    _failed(_gate(scratch), 0, path=path)
    gate = _gate(scratch)
    decision = _prompt(gate, 5, session_id="another", path=path)
    assert (decision.verdict, decision.rule) == ("deny", "pace.backoff")
    assert "429 (rate limit) 5 s ago" in (decision.reason or "") and "wait 15 s, until 22:13:40Z" in (
        decision.reason or ""
    )
    assert _through(gate, 1, 5, tool_name="Agent", path=path) == ["pace.backoff"]
    assert _through(gate, 1, 5, tool_name="Read", tool_input={"file_path": "/tmp/x"}, path=path) == [None]
    assert _prompt(gate, 20, path=path).verdict == "allow"


def test_the_wait_doubles_up_to_the_longest_and_a_good_turn_ends_it(scratch: Home) -> None:
    gate, at, waits = _gate(scratch), 0.0, []
    for _ in range(6):
        _failed(gate, at)
        _failed(gate, at + 1)  # a second session hears of the same
        wait = next(second for second in range(1, 400) if _prompt(gate, at + second).verdict == "allow")
        waits.append(wait)
        at += wait
    assert waits == [20, 40, 80, 160, 300, 300]
    gate.decide(_event(at + 1, "Stop", stop_hook_active=False))
    _failed(gate, at + 2)
    assert _prompt(gate, at + 21).verdict == "deny" and _prompt(gate, at + 22).verdict == "allow"


def test_a_turn_that_ends_well_while_the_wait_lasts_does_not_end_it(scratch: Home) -> None:
    gate = _gate(scratch)
    _failed(gate, 0)
    gate.decide(_event(3, "Stop", stop_hook_active=False))
    assert _prompt(gate, 4).rule == "pace.backoff"


def test_another_failure_is_no_back_off(scratch: Home) -> None:
    gate = _gate(scratch)
    _failed(gate, 0, "unknown")
    assert _prompt(gate, 1).verdict == "allow"
    assert not Path(scratch.state, "backoff.json").exists()


def test_a_note_from_a_clock_that_was_wrong_holds_nobody_up(scratch: Home) -> None:
    gate = _gate(scratch)
    _failed(gate, 10 * 86_400)
    assert _prompt(gate, 0).verdict == "allow"


# --- tokens ------------------------------------------------------------------------------------------------------


def _line(second: int, message: str, tokens: int) -> str:
    usage = {"input_tokens": tokens, "output_tokens": 0, "cache_read_input_tokens": 10**6}
    made = {"id": message, "model": "claude-x", "role": "assistant", "usage": usage}
    stamp = f"2023-11-14T22:{13 + (20 + second) // 60:02d}:{(20 + second) % 60:02d}.000Z"
    return json.dumps({"type": "assistant", "timestamp": stamp, "sessionId": "s-1", "message": made}) + "\n"


def test_tokens_of_the_last_minute_are_counted_from_the_transcript(scratch: Home, tmp_path: Path) -> None:
    transcript = tmp_path / "s-1.jsonl"
    transcript.write_text(_line(0, "m1", 600))
    gate = _gate(scratch, "tokens_per_minute = 1000\n")
    assert _through(gate, 1, 1, transcript_path=str(transcript)) == [None]
    with transcript.open("a") as file:
        file.write(_line(30, "m2", 700))
    decision = _said(gate, 40, transcript_path=str(transcript))
    assert decision.rule == "pace.tokens" and "1300 tokens" in (decision.reason or "")
    assert "wait 21 s" in (decision.reason or "")
    assert _through(gate, 1, 61, transcript_path=str(transcript)) == [None]


@pytest.mark.parametrize(
    ("by", "over", "free"),
    [
        ("agent", {"agent_id": "a-1"}, {"agent_id": "a-2"}),
        ("agent", {"agent_id": "a-1"}, {}),
        ("project", {"session_id": "s-2", "transcript_path": "p/s-2.jsonl"}, {"transcript_path": "q/s-3.jsonl"}),
    ],
)
def test_tokens_are_counted_by_agent_and_by_project(
    scratch: Home, tmp_path: Path, by: str, over: dict[str, Any], free: dict[str, Any]
) -> None:
    agent = tmp_path / "p" / "s-1" / "subagents" / "agent-a-1.jsonl"
    agent.parent.mkdir(parents=True)
    agent.write_text(_line(0, "m1", 700) + _line(1, "m2", 700))
    (tmp_path / "p" / "s-1.jsonl").touch()
    (tmp_path / "p" / "s-2.jsonl").write_text(_line(1, "m2", 700))  # a copy counts once
    gate = _gate(scratch, f"tokens_per_minute_by_{by} = 1300\n")

    def said(more: dict[str, Any]) -> str | None:
        given = {"transcript_path": "p/s-1.jsonl"} | more
        return _said(gate, 5, **given | {"transcript_path": str(tmp_path / given["transcript_path"])}).rule

    assert said(over) == "pace.tokens"
    assert said(free) is None
    Path(scratch.context, "charter.toml").write_text(f"[pace]\ntokens_per_minute_by_{by} = 1500\n")
    assert said(over) is None
