"""The workflow runner and the gate: order, combination, time limits, crashes, undoing, reloading."""

from __future__ import annotations

import json
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from levaithan.hot import flows, hotconf, paths
from levaithan.hot.catalogue import GUARDS
from levaithan.hot.event import Event
from levaithan.hot.gate import Gate

IMPORT = "from levaithan.hot.contract import Opinion\n"
OTHERS = "".join(f"[workflow.{guard}]\nchecks = []\n" for guard in sorted(GUARDS - {"PreToolUse"}))
RECORD = f"observers = []\nrecord = []\nreserves = []\n{OTHERS}[workflow.PreToolUse]\n"
DEFAULT = "[workflow.default]\nchecks = []\n" + RECORD


def says(verdict: str, reason: str = "r", rule: str = "x") -> str:
    return f"{IMPORT}def hook(event, context):\n    return Opinion({verdict!r}, {reason!r}, {rule!r})\n"


CRASH = "def hook(event, context):\n    raise ValueError('boom')\n"
HANG = "def hook(event, context):\n    while True:\n        pass\n"
STUBBORN = (
    "def hook(event, context):\n    while True:\n"
    "        try:\n            while True: pass\n        except Exception: pass\n"
)
TRACE = IMPORT + (
    "def hook(event, context):\n    context.memory.setdefault('trace', []).append({name!r})\n    return {opinion}\n"
    "def undo(event, context):\n    context.memory['trace'].append('undo ' + {name!r})\n"
)
Make = Callable[..., Gate]
Call = Callable[..., Event]


@pytest.mark.parametrize(
    ("verdicts", "wins", "hook"),
    [
        (["allow", "ask", "deny", "halt"], "deny", "h2"),
        (["halt", "deny"], "halt", "h0"),
        (["ask", "halt"], "halt", "h1"),
        (["ask", "allow", "ask"], "ask", "h0"),
        (["allow", "allow"], "allow", "h0"),
    ],
)
def test_the_strictest_wins_and_nothing_runs_after_a_refusal(
    gate_of: Make, call: Call, verdicts: list[str], wins: str, hook: str
) -> None:
    hooks = {f"h{number}": says(verdict) for number, verdict in enumerate(verdicts)}
    outcome, _ = gate_of(hooks, f"{DEFAULT}checks = {json.dumps(list(hooks))}").decide(call())
    assert (outcome.decision.verdict, outcome.decision.hook, outcome.decision.rule) == (wins, hook, "x")
    assert [entry["hook"] for entry in outcome.hooks][-1] == hook or wins in ("ask", "allow")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (CRASH, "ValueError: boom"),
        ("import sys\ndef hook(event, context):\n    sys.exit(0)\n", "SystemExit"),
        ("def hook(event, context):\n    raise KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("def hook(event, context):\n    return hook(event, context)\n", "RecursionError"),
        ("def hook(event, context):\n    return 'deny'\n", "'deny' where an Opinion"),
        (f"{IMPORT}def hook(event, context):\n    return Opinion('maybe')\n", "where an Opinion"),
        ("def hook(event, context)\n    pass\n", "line 1"),
        ("1/0\n", "line 1"),
        ("import nowhere_to_be_found\n", "No module named"),
        ("x = 1\n", "defines no function hook"),
        ("hook = 5\n", "defines no function hook"),
        ("def hook():\n    pass\n", "TypeError"),
    ],
)
def test_a_hook_that_fails_denies_on_a_guard_and_nowhere_else(
    gate_of: Make, call: Call, source: str, words: str
) -> None:
    gate = gate_of({"bad": source}, f'{DEFAULT}checks = ["bad"]\n[workflow.Stop]\nchecks = ["bad"]')
    outcome, body = gate.decide(call())
    assert (outcome.decision.verdict, outcome.decision.rule, outcome.decision.hook) == ("deny", "hook-failed", "bad")
    assert words in (outcome.decision.reason or "")
    assert "Next step" in (outcome.decision.reason or "")
    assert words in json.loads(body)["hooks"][0]["error"]
    outcome, body = gate.decide(call("Stop", stop_hook_active=False))
    assert outcome.decision.verdict == "allow"
    assert words in json.loads(body)["hooks"][0]["error"]


def test_a_hook_that_is_missing_denies_and_is_said(gate_of: Make, call: Call) -> None:
    gate = gate_of({}, f'{DEFAULT}checks = ["not_there"]')
    outcome, _ = gate.decide(call())
    assert outcome.decision.verdict == "deny"
    assert "not_there.py is missing" in (outcome.decision.reason or "")
    assert "not_there.py is missing" in gate.problems[0]
    prompt, _ = gate.decide(call("UserPromptSubmit", prompt="hi"))
    assert "not_there" in prompt.notices[0]


@pytest.mark.parametrize(
    "source", [HANG, STUBBORN, "while True: pass\n", "import time\ndef hook(e, c): time.sleep(9)\n"]
)
def test_a_hook_that_hangs_is_ended_and_denies(gate_of: Make, call: Call, source: str) -> None:
    gate = gate_of({"slow": source, "after": says("allow")}, f'{DEFAULT}checks = ["slow", "after"]', deadline_ms="60")
    handler, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    before = time.perf_counter()
    outcome, _ = gate.decide(call())
    assert time.perf_counter() - before < 2
    assert outcome.decision.verdict == "deny"
    assert "too long" in (outcome.decision.reason or "")
    assert signal.getsignal(signal.SIGALRM) == handler
    assert timer == (0.0, 0.0) or timer[0] - 2 < signal.getitimer(signal.ITIMER_REAL)[0] < timer[0]


def test_a_slow_load_is_tried_again(gate_of: Make, call: Call, tmp_path: Path) -> None:
    wait = f"import os, time\nwhile os.path.exists({str(tmp_path / 'busy')!r}): pass\n"
    (tmp_path / "busy").touch()
    gate = gate_of({"slow": wait + says("allow")}, f'{DEFAULT}checks = ["slow"]', deadline_ms="60")
    assert gate.decide(call())[0].decision.verdict == "deny"
    (tmp_path / "busy").unlink()
    gate.refresh()
    assert gate.decide(call())[0].decision.verdict == "allow"
    assert gate.problems == []


def test_an_alarm_that_was_set_before_is_put_back(gate_of: Make, call: Call) -> None:
    rang = []
    old = signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 30)
        gate_of({"slow": HANG}, f'{DEFAULT}checks = ["slow"]', deadline_ms="60").decide(call())
        assert 29 < signal.getitimer(signal.ITIMER_REAL)[0] < 29.95
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        time.sleep(0.05)
        assert rang == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def test_in_another_thread_a_late_opinion_does_not_count(gate_of: Make, call: Call) -> None:
    sleepy = f"{IMPORT}import time\ndef hook(event, context):\n    time.sleep(0.2)\n    return Opinion('allow')\n"
    gate = gate_of({"slow": sleepy}, f'{DEFAULT}checks = ["slow"]', deadline_ms="50")
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(gate.decide(call())))
    thread.start()
    thread.join()
    assert found[0][0].decision.verdict == "deny"


def test_an_observer_cannot_decide_and_cannot_harm(gate_of: Make, call: Call) -> None:
    speaks = f"{IMPORT}def hook(event, context):\n    return Opinion(context='remember this')\n"
    gate = gate_of(
        {"crash": CRASH, "denies": says("deny"), "speaks": speaks},
        f'{DEFAULT}checks = []\nobservers = ["crash", "denies", "speaks"]',
    )
    outcome, body = gate.decide(call())
    assert outcome.decision.verdict == "allow"
    assert outcome.decision.context == "remember this"
    errors = [entry.get("error", "") for entry in json.loads(body)["hooks"]]
    assert "boom" in errors[0]
    assert "cannot deny" in errors[1]


def test_observers_run_on_a_deny_too(gate_of: Make, call: Call) -> None:
    speaks = f"{IMPORT}def hook(event, context):\n    return Opinion(context='seen')\n"
    gate = gate_of({"no": says("deny"), "speaks": speaks}, f'{DEFAULT}checks = ["no"]\nobservers = ["speaks"]')
    assert gate.decide(call())[0].decision.context == "seen"


@pytest.mark.parametrize(
    ("last", "trace"),
    [
        ("Opinion('deny', 'r')", ["one", "two", "three", "undo two", "undo one"]),
        ("Opinion('halt', 'r')", ["one", "two", "three", "undo two", "undo one"]),
        ("1 / 0", ["one", "two", "three", "undo three", "undo two", "undo one"]),
        ("Opinion('ask', 'r')", ["one", "two", "three"]),
        ("None", ["one", "two", "three"]),
    ],
)
def test_reserves_are_undone_in_reverse(gate_of: Make, call: Call, last: str, trace: list[str]) -> None:
    hooks = {name: TRACE.format(name=name, opinion="None") for name in ("one", "two")}
    hooks["three"] = TRACE.format(name="three", opinion=last)
    gate = gate_of(hooks, f'{DEFAULT}checks = []\nreserves = ["one", "two", "three"]')
    gate.decide(call())
    assert gate._context.memory["trace"] == trace


def test_reserves_do_not_run_when_a_check_refused(gate_of: Make, call: Call) -> None:
    hooks = {"no": says("deny"), "one": TRACE.format(name="one", opinion="None")}
    gate = gate_of(hooks, f'{DEFAULT}checks = ["no"]\nreserves = ["one"]')
    gate.decide(call())
    assert "trace" not in gate._context.memory


def test_an_undo_that_hangs_or_crashes_does_not_keep_the_others(gate_of: Make, call: Call) -> None:
    taken = TRACE.format(name="one", opinion="None")
    hang = "def hook(event, context): pass\ndef undo(event, context):\n    while True: pass\n"
    crash = "def hook(event, context): pass\ndef undo(event, context): 1 / 0\n"
    gate = gate_of(
        {"one": taken, "hang": hang, "crash": crash, "no": says("deny")},
        f'{DEFAULT}checks = []\nreserves = ["one", "crash", "hang", "no"]',
    )
    outcome, _ = gate.decide(call())
    undone = {entry["hook"]: entry.get("error", "") for entry in outcome.hooks if entry.get("undo")}
    assert list(undone) == ["hang", "crash", "one"]
    assert "too long" in undone["hang"]
    assert "division" in undone["crash"]
    assert gate._context.memory["trace"] == ["one", "undo one"]


@pytest.mark.parametrize("name", ["Stop", "SubagentStop"])
@pytest.mark.parametrize(("active", "verdict"), [(True, "allow"), ("odd", "allow"), (False, "deny")])
def test_a_stop_is_never_blocked_twice(gate_of: Make, call: Call, name: str, active: Any, verdict: str) -> None:
    gate = gate_of({"no": says("deny")}, f'{DEFAULT}checks = []\n[workflow.{name}]\nchecks = ["no"]')
    assert gate.decide(call(name, stop_hook_active=active))[0].decision.verdict == verdict


@pytest.mark.parametrize(
    "source",
    [
        "def record(event, outcome, context):\n    1 / 0\n",
        "def record(event, outcome, context):\n    return 5\n",
        "def record(event, outcome, context):\n    return {'kind': 'forged'}\n",
        "def record(event, outcome, context):\n    while True: pass\n",
        "",
    ],
)
def test_an_event_is_recorded_even_when_the_record_hook_fails(gate_of: Make, call: Call, source: str) -> None:
    gate = gate_of({"rec": source}, f'{DEFAULT}checks = []\nrecord = ["rec"]', deadline_ms="60")
    outcome, body = gate.decide(call())
    record = json.loads(body)
    assert (record["kind"], record["event"], record["decision"]) == ("event", "PreToolUse", "allow")
    assert outcome.decision.verdict == "allow"


def test_an_unknown_event_runs_the_default(gate_of: Make, call: Call) -> None:
    gate = gate_of(
        {"spy": TRACE.format(name="spy", opinion="None")},
        f'[workflow.default]\nobservers = ["spy"]\n{OTHERS}[workflow.PreToolUse]\nchecks = []',
    )
    outcome, body = gate.decide(call("NobodyKnows", extra=1))
    assert (outcome.decision.verdict, json.loads(body)["payload"]["extra"]) == ("allow", 1)
    assert gate._context.memory["trace"] == ["spy"]


def test_a_flood_of_invented_events_does_not_fill_the_memory(scratch: paths.Home, call: Call) -> None:
    gate = Gate(scratch, hotconf.HotConf())
    for number in range(400):
        gate.decide(call(f"Invented{number}"))
    assert len(gate._loaded) <= 256


def test_changed_hooks_and_workflows_are_taken_up(gate_of: Make, call: Call, scratch: paths.Home) -> None:
    gate = gate_of({"one": says("deny"), "two": says("ask")}, f'{DEFAULT}checks = ["one"]')
    assert gate.decide(call())[0].decision.verdict == "deny"
    Path(scratch.hooks, "one.py").write_text(says("halt"))
    gate.refresh()
    assert gate.decide(call())[0].decision.verdict == "halt"
    Path(scratch.context, "workflows.toml").write_text(f'{DEFAULT}checks = ["two"]')
    gate.refresh()
    assert gate.decide(call())[0].decision.verdict == "ask"


def test_a_broken_change_keeps_the_last_good_hook_and_says_so(gate_of: Make, call: Call, scratch: paths.Home) -> None:
    gate = gate_of({"one": says("deny", "good")}, f'{DEFAULT}checks = ["one"]')
    gate.decide(call())
    Path(scratch.hooks, "one.py").write_text("def hook(:")
    gate.refresh()
    assert gate.decide(call())[0].decision.reason == "good"
    assert "last good one" in gate.problems[0]
    Path(scratch.hooks, "one.py").unlink()
    gate.refresh()
    assert gate.decide(call())[0].decision.reason == "good"
    Path(scratch.hooks, "one.py").write_text(says("ask"))
    gate.refresh()
    assert gate.decide(call())[0].decision.verdict == "ask"
    assert gate.problems == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[workflow.default\n", "line 1"),
        ("", "no [workflow.default]"),
        ("x = 1\n[workflow.default]\n", "x is unknown"),
        ("[workflow.default]\nchekcs = []\n", "chekcs"),
        ("[workflow.default]\n\n[workflow.Stop]\nchecks = 'a'\n", "line 3"),
        ('[workflow.default]\nchecks = ["../evil"]\n', "must be a list of hook names"),
        ("[workflow]\ndefault = 1\n", "is no table"),
        ("\x00", "line 1"),
        ("[workflow.default]\nchecks = []\n", "ConfigChange names no checks, as if the file had been cut off"),
        (f"{DEFAULT}reserves = []", "PreToolUse names no checks"),
    ],
)
def test_broken_workflows_are_said_with_the_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "workflows.toml").write_text(text)
    with pytest.raises(flows.FlowError) as caught:
        flows.compile_file(str(tmp_path / "workflows.toml"))
    assert words in str(caught.value)


def test_without_any_good_workflows_guards_are_denied_and_the_rest_recorded(
    gate_of: Make, call: Call, scratch: paths.Home
) -> None:
    gate = gate_of({}, "[workflow.default")
    outcome, _ = gate.decide(call())
    assert outcome.decision.verdict == "deny"
    assert "workflows.toml" in (outcome.decision.reason or "")
    outcome, body = gate.decide(call("PostToolUse"))
    assert (outcome.decision.verdict, json.loads(body)["event"]) == ("allow", "PostToolUse")
    Path(scratch.context, "workflows.toml").write_text(f"{DEFAULT}checks = []")
    gate.refresh()
    assert gate.decide(call())[0].decision.verdict == "allow"


@pytest.mark.parametrize("damage", ["[workflow.default", None])
def test_a_new_process_keeps_the_last_good_workflows_too(
    gate_of: Make, call: Call, scratch: paths.Home, damage: str | None
) -> None:
    gate_of({"no": says("deny", "good")}, f'{DEFAULT}checks = ["no"]')
    if damage is None:
        Path(scratch.context, "workflows.toml").unlink()
    else:
        Path(scratch.context, "workflows.toml").write_text(damage)
    gate = Gate(scratch, hotconf.HotConf())
    assert gate.decide(call())[0].decision.reason == "good"
    assert "last good workflows" in gate.problems[0]


def test_the_compiled_workflows_are_used_and_a_damaged_one_is_not(
    gate_of: Make, scratch: paths.Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate_of({"no": says("deny")}, f'{DEFAULT}checks = ["no"]')
    cache = Path(scratch.state, "cache", "workflows.json")
    assert cache.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(flows, "compile_file", lambda path: pytest.fail("compiled again"))
    assert flows.load(scratch)[1] is None
    monkeypatch.undo()
    whole = cache.read_bytes()
    flipped = whole.replace(b'"PreToolUse"', b'"PreToolUsf"')  # one bit: the guard would run the default, nothing
    assert flipped != whole
    for damage in (
        b"",
        b"{",
        b"[]",
        b'{"key":[1,"x"],"flows":{}}',
        whole.replace(b'"no"', b'"on"'),
        flipped,
        whole[:-1],
    ):
        cache.write_bytes(damage)
        loaded, problem = flows.load(scratch)
        assert problem is None
        assert loaded is not None
        assert loaded["PreToolUse"]["checks"] == ["no"]


def test_a_cache_that_cannot_be_written_is_no_error(gate_of: Make, call: Call, scratch: paths.Home) -> None:
    shutil.rmtree(Path(scratch.state, "cache"))
    Path(scratch.state, "cache").write_text("a file where the folder belongs")
    gate = gate_of({"no": says("deny")}, f'{DEFAULT}checks = ["no"]')
    assert (gate.decide(call())[0].decision.verdict, gate.problems) == ("deny", [])


def test_two_homes_in_one_process_do_not_mix(gate_of: Make, call: Call, tmp_path: Path) -> None:
    first = gate_of({"same": says("deny", "first")}, f'{DEFAULT}checks = ["same"]')
    other = tmp_path / "other"
    for name in ("hooks", "context"):
        (other / name).mkdir(parents=True)
    (other / "hooks" / "same.py").write_text(says("ask", "second"))
    (other / "context" / "workflows.toml").write_text(f'{DEFAULT}checks = ["same"]')
    second = Gate(paths.home_at(str(other)), hotconf.HotConf())
    for _ in range(2):
        assert first.decide(call())[0].decision.reason == "first"
        assert second.decide(call())[0].decision.reason == "second"


def test_the_shipped_workflows_name_hooks_that_are_there() -> None:
    root = Path(__file__).parents[3] / ".claude"
    shipped = flows.compile_file(str(root / "context" / "workflows.toml"))
    named = {hook for flow in shipped.values() for part in flow.values() for hook in part}
    assert named == {path.stem for path in (root / "hooks").glob("*.py")} - {"_alone"}
    for guard in ("PreToolUse", "PermissionRequest", "UserPromptSubmit", "ConfigChange"):
        assert shipped[guard]["checks"] == ["halt_check", "policy_check", "restraint_check"]
    assert all(flow["record"] == ["audit_record"] for flow in shipped.values())


def test_a_decision_takes_well_under_a_millisecond(scratch: paths.Home, call: Call) -> None:
    """Not a benchmark: it only notices when something slow got into every event."""
    gate = Gate(scratch, hotconf.HotConf(), loads=orjson.loads, dumps=orjson.dumps)
    event = call("PostToolUse", tool_name="Bash", tool_response={"stdout": "x"})
    gate.decide(event)
    best = min(_timed(gate, event) for _ in range(200))
    assert best < 0.0005


def _timed(gate: Gate, event: Event) -> float:
    began = time.perf_counter()
    gate.decide(event)
    return time.perf_counter() - began
