"""Leases: one session at a time changes a file, who is refused hears by whom, nothing is held for ever."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from levaithan.hot import hotconf, leases
from levaithan.hot.event import parse
from levaithan.hot.gate import Gate
from levaithan.hot.opinion import Decision
from levaithan.hot.paths import Home
from levaithan.hot.workflow import Outcome

START = 1_795_521_600 * 1_000_000
MINUTE = 60 * 1_000_000


@pytest.fixture
def gate(scratch: Home) -> Gate:
    return Gate(scratch, hotconf.HotConf(), json.loads)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a.py").write_text("a\n")
    (folder / "b.py").write_text("b\n")
    return folder


@pytest.fixture
def ask(gate: Gate, project: Path) -> Callable[..., Decision]:
    """ask(session, tool, minute=..., **tool_input): what the gate says."""

    def made(session: str, tool: str, *, minute: float = 0, event: str = "PreToolUse", **given: Any) -> Decision:
        return run(gate, project, session, tool, minute=minute, event=event, **given).decision

    return made


def run(
    gate: Gate,
    project: Path,
    session: str,
    tool: str,
    *,
    minute: float = 0,
    event: str = "PreToolUse",
    more: dict[str, Any] | None = None,
    attended: str = "1",
    **given: Any,
) -> Outcome:
    payload = {"session_id": session, "hook_event_name": event, "cwd": str(project), "tool_use_id": "t"}
    payload |= {"tool_name": tool, "tool_input": given} | (more or {})
    header = {"event": event, "path": "native", "project": str(project), "attended": attended}
    made = parse(header, json.dumps(payload).encode())
    made.received_ns = int(START + minute * MINUTE) * 1000
    return gate.decide(made)[0]


def held(home: Home, minute: float = 0) -> dict[str, str]:
    """The file names that are held, with their sessions."""
    return {os.path.basename(one["path"]): one["session"] for one in leases.every(home, int(START + minute * MINUTE))}


def test_the_second_session_is_told_who_holds_the_file_and_until_when(ask: Any, project: Path, scratch: Home) -> None:
    path = str(project / "a.py")
    assert ask("one-11111111", "Edit", file_path=path).verdict == "allow"
    said = ask("two", "Write", file_path=path, minute=1)
    assert (said.verdict, said.rule) == ("deny", "lease.held")
    for words in (
        "`" + path + "`",
        "session one-1111",
        "until 12:10:00Z",
        "levaithan lease release " + path,
        "Instead: ",
    ):
        assert words in (said.reason or "")
    assert "this session waits for it since 120 s" in (ask("two", "Edit", file_path=path, minute=3).reason or "")
    assert ask("two", "Edit", file_path=str(project / "b.py")).verdict == "allow"
    (lease, _) = leases.every(scratch, START + 3 * MINUTE)
    assert lease["waiting"] == {"two": START + MINUTE}


def test_one_session_goes_on_with_its_agents(ask: Any, gate: Gate, project: Path) -> None:
    path = str(project / "a.py")
    assert ask("one", "Edit", file_path=path).rule == "lease.taken"
    again = run(gate, project, "one", "Edit", more={"agent_id": "a-7", "agent_type": "writer"}, file_path=path)
    assert again.decision.verdict == "allow"


def test_two_names_of_a_file_are_one(ask: Any, project: Path) -> None:
    (project / "link").symlink_to(project / "a.py")
    (project / "folder").symlink_to(project)
    assert ask("one", "Edit", file_path=str(project / "link")).verdict == "allow"
    for name in (str(project / "a.py"), "a.py", "./folder/a.py", f"{project}/../project/a.py"):
        assert ask("two", "Edit", file_path=name).rule == "lease.held", name


@pytest.mark.parametrize(
    "command",
    [
        "sed -i s/a/b/ a.py",
        "echo x > a.py",
        "echo x >> ./a.py",
        "rm a.py",
        "mv a.py c.py",
        "mv b.py a.py",
        "cp b.py a.py",
        "cat b.py | tee a.py",
        "bash -c 'echo x > a.py'",
    ],
)
def test_a_command_that_changes_the_file_needs_it_too(ask: Any, project: Path, command: str) -> None:
    assert ask("one", "Edit", file_path=str(project / "a.py")).verdict == "allow"
    assert ask("two", "Bash", command=command).rule == "lease.held", command


@pytest.mark.parametrize(
    "command",
    ["cat a.py", "grep x a.py", "ls", "echo x > /dev/null", "echo x > /tmp/scratch-of-nobody", "pytest", "git status"],
)
def test_a_command_that_only_reads_needs_none(ask: Any, project: Path, scratch: Home, command: str) -> None:
    assert ask("one", "Edit", file_path=str(project / "a.py")).verdict == "allow"
    assert ask("two", "Bash", command=command).rule != "lease.held"
    assert held(scratch) == {"a.py": "one"}


def test_a_command_takes_all_its_files_or_none(ask: Any, project: Path, scratch: Home) -> None:
    assert ask("one", "Edit", file_path=str(project / "b.py")).verdict == "allow"
    assert ask("two", "Bash", command="echo x > a.py; echo y > b.py").rule == "lease.held"
    assert held(scratch) == {"b.py": "one"}
    assert ask("one", "Bash", command="echo x > a.py; echo y > b.py; echo z > new.py").verdict == "allow"
    assert held(scratch) == dict.fromkeys(("a.py", "b.py", "new.py"), "one")


def test_a_lease_ends_at_its_expiry_and_is_renewed_while_the_session_is_heard_of(
    ask: Any, project: Path, scratch: Home
) -> None:
    path = str(project / "a.py")
    ask("one", "Edit", file_path=path)
    assert held(scratch, 9.9) == {"a.py": "one"} and held(scratch, 10) == {}
    ask("one", "Bash", event="PostToolUse", minute=4, command="ls")
    assert held(scratch, 10) == {}, "more than half was left"
    ask("one", "Bash", event="PostToolUse", minute=6, command="ls")
    assert held(scratch, 15.9) == {"a.py": "one"}
    assert ask("two", "Edit", minute=15.9, file_path=path).rule == "lease.held"
    assert ask("two", "Edit", minute=16, file_path=path).rule == "lease.taken"


def test_a_new_holder_has_a_higher_fence_and_the_old_one_is_told(gate: Gate, project: Path, scratch: Home) -> None:
    path = str(project / "a.py")
    run(gate, project, "one", "Edit", file_path=path)
    first = leases.every(scratch, START)[0]["fence"]
    run(gate, project, "two", "Edit", minute=11, file_path=path)
    assert leases.every(scratch, START + 11 * MINUTE)[0]["fence"] > first
    late = run(gate, project, "one", "Edit", event="PostToolUse", minute=12, file_path=path)
    assert "session two took it" in (late.decision.context or "") and late.decision.verdict == "allow"
    fine = run(gate, project, "two", "Edit", event="PostToolUse", minute=12, file_path=path)
    assert fine.decision.context is None


@pytest.mark.parametrize("event", ["Stop", "StopFailure", "SessionEnd"])
def test_a_turn_that_ends_gives_back(gate: Gate, ask: Any, project: Path, scratch: Home, event: str) -> None:
    path = str(project / "a.py")
    ask("one", "Edit", file_path=path)
    ask("two", "Edit", file_path=str(project / "b.py"))
    run(gate, project, "one", "", event=event)
    assert held(scratch) == {"b.py": "two"}
    assert ask("two", "Edit", file_path=path).verdict == "allow"


def test_what_still_works_in_the_background_keeps_its_leases(
    gate: Gate, ask: Any, project: Path, scratch: Home
) -> None:
    ask("one", "Edit", file_path=str(project / "a.py"))
    run(gate, project, "one", "", event="Stop", more={"background_tasks": [{"id": "x"}]})
    assert held(scratch) == {"a.py": "one"}


def test_what_a_later_reservation_refuses_is_given_back(scratch: Home, project: Path) -> None:
    Path(scratch.hooks, "refuses.py").write_text(
        "from levaithan.hot.opinion import Opinion\n"
        "def hook(event, _):\n    return Opinion('deny', 'no', 'x') if 'b.py' in str(event.tool_input) else None\n"
    )
    flows = Path(scratch.context, "workflows.toml")
    flows.write_text(flows.read_text().replace('"approval_reserve"]', '"approval_reserve", "refuses"]'))
    gate = Gate(scratch, hotconf.HotConf(), json.loads)
    assert run(gate, project, "one", "Edit", file_path=str(project / "a.py")).decision.verdict == "allow"
    assert run(gate, project, "one", "Edit", file_path=str(project / "b.py")).decision.rule == "x"
    assert held(scratch) == {"a.py": "one"}
    assert run(gate, project, "one", "Bash", command="echo x > a.py; echo x > b.py").decision.rule == "x"
    assert held(scratch) == {"a.py": "one"}, "what it held before stays"


def test_what_a_check_refuses_takes_nothing(ask: Any, scratch: Home) -> None:
    assert ask("one", "Bash", command="echo x > a.py; rm -rf /").verdict == "deny"
    assert held(scratch) == {}


@pytest.mark.parametrize(
    ("conflict", "attended", "verdict"), [("ask", "1", "ask"), ("ask", "0", "deny"), ("warn", "1", "allow")]
)
def test_the_charter_says_what_a_conflict_means(
    gate: Gate, scratch: Home, project: Path, conflict: str, attended: str, verdict: str
) -> None:
    Path(scratch.context, "charter.toml").write_text(f'[leases]\non_conflict = "{conflict}"\nexpires = "1m"\n')
    path = str(project / "a.py")
    run(gate, project, "one", "Edit", file_path=path)
    said = run(gate, project, "two", "Edit", attended=attended, file_path=path).decision
    assert said.verdict == verdict and "is held by session one" in (said.reason or "")
    assert bool(said.context) == (conflict == "warn")
    assert ("ap-" in (said.reason or "")) == (attended == "0")
    assert held(scratch, 1.01) == {}


@pytest.mark.parametrize("text", ["[leases]\nenabled = false\n", '[leases]\nignore = ["."]\n'])
def test_leases_can_be_left_out(gate: Gate, scratch: Home, project: Path, text: str) -> None:
    Path(scratch.context, "charter.toml").write_text(text)
    run(gate, project, "one", "Edit", file_path=str(project / "a.py"))
    assert held(scratch) == {}


def test_folders_devices_and_odd_names_need_none(ask: Any, project: Path, scratch: Home) -> None:
    for name in (str(project), "/dev/null", "", "\x00", 7, None, "/tmp/elsewhere.txt"):
        ask("one", "Write", file_path=name, content="x")
    assert held(scratch) == {}


def test_leases_that_cannot_be_kept_hold_nobody_up_and_are_said(
    gate: Gate, ask: Any, project: Path, scratch: Home
) -> None:
    book = Path(scratch.state, "leases.sqlite")
    book.mkdir()
    assert ask("one", "Edit", file_path=str(project / "a.py")).verdict == "allow"
    assert any("leases cannot be kept" in problem for problem in gate.problems)
    book.rmdir()
    assert ask("one", "Edit", file_path=str(project / "a.py")).rule == "lease.taken"
    assert gate.problems == []


def test_a_damaged_book_is_set_aside(gate: Gate, project: Path, scratch: Home) -> None:
    path, book = str(project / "a.py"), Path(scratch.state, "leases.sqlite")
    run(gate, project, "one", "Edit", file_path=path)
    gate._context.memory.pop("leases").close()
    book.write_bytes(b"\x00damage" * 2000)
    assert run(gate, project, "two", "Edit", file_path=path).decision.rule == "lease.taken"
    assert Path(str(book) + ".damaged").exists()


def test_what_is_held_already_is_not_written_again(ask: Any, project: Path, scratch: Home) -> None:
    path = str(project / "a.py")
    assert ask("one", "Edit", file_path=path).rule == "lease.taken"
    for minute in (0, 1, 4.9):
        assert ask("one", "Edit", minute=minute, file_path=path).rule is None
    assert held(scratch, 10) == {}
    ask("one", "Edit", minute=5.1, file_path=path)
    assert held(scratch, 15) == {"a.py": "one"}


def test_without_a_service_the_book_is_opened_when_nobody_has_for_a_while(project: Path, scratch: Home) -> None:
    def alone(event: str, minute: float, **given: Any) -> Gate:
        gate = Gate(scratch, hotconf.HotConf(), json.loads)
        payload = {"session_id": "one", "hook_event_name": event, "cwd": str(project), "tool_name": "Edit"}
        header = {"event": event, "path": "oneshot", "project": str(project)}
        made = parse(header, json.dumps(payload | {"tool_input": given}).encode())
        made.received_ns = int(now + minute * MINUTE) * 1000
        gate.decide(made)
        return gate

    now = time.time_ns() // 1000
    path = str(project / "a.py")
    alone("PreToolUse", 0, file_path=path)
    assert "leases" not in alone("PostToolUse", 1, file_path=path)._context.memory
    assert "leases" in alone("PostToolUse", 6, file_path=path)._context.memory
    (lease,) = leases.every(scratch, now)
    assert lease["until_us"] == now + 16 * MINUTE
    alone("Stop", 7)
    assert leases.every(scratch, now) == []


def test_whatever_happens_a_file_has_one_holder_and_the_model_agrees(scratch: Home, project: Path) -> None:
    """Against a model: {file: (session, until)}; fences only grow."""
    chance = random.Random(11)
    gate, model, minute, fences = Gate(scratch, hotconf.HotConf(), json.loads), {}, 0.0, [0]
    for _ in range(600):
        minute += chance.choice((0, 0.5, 3, 6))
        session, name = chance.choice("xyz"), chance.choice(("a.py", "b.py", "c.py"))
        model = {file: kept for file, kept in model.items() if kept[1] > minute + 1e-9}
        step = chance.random()
        if step < 0.7:
            said = run(gate, project, session, "Edit", minute=minute, file_path=str(project / name)).decision
            free = name not in model or model[name][0] == session
            assert (said.verdict == "allow") == free, (minute, session, name, model)
            if free:
                kept = model.get(name)
                fresh = kept is not None and kept[1] - minute > 5
                model[name] = kept if fresh and kept else (session, minute + 10)
        elif step < 0.85:
            run(gate, project, session, "", event="Stop", minute=minute)
            model = {file: kept for file, kept in model.items() if kept[0] != session}
        else:
            run(gate, project, session, "Bash", event="PostToolUse", minute=minute, command="ls")
            mine = {file: kept for file, kept in model.items() if kept[0] == session}
            if any(kept[1] - minute < 5 for kept in mine.values()):
                model |= dict.fromkeys(mine, (session, minute + 10))
        assert held(scratch, minute) == {file: kept[0] for file, kept in model.items()}
        fences += [
            max([one["fence"] for one in leases.every(scratch, int(START + minute * MINUTE))], default=fences[-1])
        ]
    assert fences[-1] > 20


def test_a_clock_that_was_ahead_leaves_nothing_stuck(ask: Any, project: Path, scratch: Home) -> None:
    path, year = str(project / "a.py"), 366 * 24 * 60
    ask("one", "Edit", minute=year, file_path=path)
    assert ask("two", "Edit", file_path=path).rule == "lease.held"
    assert "until 12:10:00Z" in (ask("two", "Edit", file_path=path).reason or "")
    assert ask("two", "Edit", minute=10, file_path=path).rule == "lease.taken"


def test_text_that_is_no_unicode_is_held_like_any_other(ask: Any, project: Path, scratch: Home) -> None:
    assert ask("\ud800", "Edit", file_path=str(project / "a.py")).rule == "lease.taken"
    assert ask("two", "Edit", file_path=str(project / "a.py")).rule == "lease.held"
    assert held(scratch) == {"a.py": "\\ud800"}


def test_an_event_that_waited_does_not_cut_short_what_another_session_holds(
    gate: Gate, project: Path, scratch: Home
) -> None:
    """What is over, and what ends too late, is told by the time at the grant: an event's own may be old by then."""
    Path(scratch.context, "charter.toml").write_text('[leases]\nexpires = "20s"\n')

    def edit(session: str, name: str, age_s: float) -> None:
        payload = {"session_id": session, "hook_event_name": "PreToolUse", "cwd": str(project), "tool_name": "Edit"}
        made = parse({"project": str(project)}, json.dumps(payload | {"tool_input": {"file_path": name}}).encode())
        made.received_ns -= int(age_s * 1e9)
        assert gate.decide(made)[0].decision.rule == "lease.taken"

    edit("one", "a.py", 0)
    (before,) = leases.every(scratch)
    edit("two", "b.py", 15)
    first, second = leases.every(scratch)
    assert first == before, "the lease of the first session is as it was"
    assert second["until_us"] >= before["until_us"], "and the second holds its own for the whole time"


@pytest.mark.parametrize("way", ["delete", "set aside", "empty"])
def test_a_book_that_is_gone_while_it_is_open_is_not_gone_on_with(
    gate: Gate, ask: Any, project: Path, scratch: Home, way: str
) -> None:
    """Another process begins a new one: if this one still held on to the old, a file would have two holders."""
    path, book = str(project / "a.py"), Path(scratch.state, "leases.sqlite")
    assert ask("one", "Edit", file_path=path).rule == "lease.taken"
    for suffix in ("", "-wal", "-shm"):
        file = Path(f"{book}{suffix}")
        if way == "delete":
            file.unlink()
        elif way == "set aside":
            file.rename(f"{book}.damaged{suffix}")
    if way == "empty":
        os.truncate(book, 0)
        os.truncate(f"{book}-wal", 0)
    assert ask("two", "Edit", file_path=path).rule == "lease.taken"
    other = Gate(scratch, hotconf.HotConf(), json.loads)
    assert run(other, project, "three", "Edit", file_path=path).decision.rule == "lease.held"
    assert ask("one", "Edit", file_path=path).rule == "lease.held", "nor does it believe what it remembers"
    late = run(gate, project, "one", "Edit", event="PostToolUse", file_path=path)
    assert "session two took it" in (late.decision.context or "")


def test_a_book_whose_place_is_taken_while_it_is_open_comes_back(
    gate: Gate, ask: Any, project: Path, scratch: Home
) -> None:
    path, book = str(project / "a.py"), Path(scratch.state, "leases.sqlite")
    ask("one", "Edit", file_path=path)
    book.unlink()
    book.mkdir()
    for _ in range(2):
        assert ask("one", "Edit", file_path=path).verdict == "allow"
        assert any("leases cannot be kept" in problem for problem in gate.problems)
    book.rmdir()
    assert ask("one", "Edit", file_path=path).rule == "lease.taken"
    assert gate.problems == []


def test_a_lease_that_is_over_before_it_is_granted_is_none(
    gate: Gate, project: Path, scratch: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(scratch.context, "charter.toml").write_text('[leases]\nexpires = "1s"\n')
    slow = iter(range(100))
    monkeypatch.setattr(leases, "_moment", lambda context: context.now_us + next(slow) * 400_000)
    said = run(gate, project, "one", "Edit", file_path=str(project / "a.py")).decision
    assert (said.verdict, said.rule) == ("deny", "lease.late") and "try again" in (said.reason or "")
    assert held(scratch) == {}
    monkeypatch.setattr(leases, "_moment", lambda context: context.now_us)
    assert run(gate, project, "one", "Edit", file_path=str(project / "a.py")).decision.rule == "lease.taken"


def test_the_record_names_what_a_call_took_or_renewed(gate: Gate, project: Path) -> None:
    path = str(project / "a.py")

    def leased(minute: float, session: str = "one") -> Any:
        entries = run(gate, project, session, "Edit", minute=minute, file_path=path).hooks
        return next(entry for entry in entries if entry["hook"] == "lease_reserve").get("leased")

    assert leased(0) == [path]
    assert leased(1) is None, "held already, and nothing was written"
    assert leased(2, "two") is None, "another session's"
    assert leased(6) == [path], "renewed"
