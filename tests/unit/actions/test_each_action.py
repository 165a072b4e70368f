"""Every action, done to a real home: it is done, verified by a look at the world, and undone."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes

from levaithan.actions import order_waiters, probe, registry
from levaithan.hot import flows, halts, leases, modes, restraints
from levaithan.hot.lease_book import Book
from levaithan.hot.sessions import file_name


def done(place: Any, name: str, target: dict[str, str] | None = None, **settings: Any) -> tuple[Any, Any]:
    runner = place.runner(**settings)
    run = runner.run(name, target or {}, by="ann", reason="a test of it")
    return runner, run


def test_there_is_one_test_here_for_each() -> None:
    text = Path(__file__).read_text()
    assert [name for name in registry.ACTIONS if f'"{name}"' not in text] == []


def test_every_action_says_its_bound_and_its_verification() -> None:
    for one in registry.ACTIONS.values():
        assert one.about and one.bound and one.verifies and 0 < one.deadline_s <= 900
        assert one.stays or one.lasts_s is None


@pytest.mark.parametrize(
    ("target", "call"),
    [
        ({"session": "s1"}, {"session_id": "s1"}), ({"agent": "Explore"}, {"agent_id": "Explore", "session_id": "x"}),
        ({"project": "/tmp"}, {"cwd": "/tmp", "session_id": "x"}), ({"all": ""}, {"session_id": "x"}),
    ],
)  # fmt: skip
def test_emergency_stop(place: Any, target: dict[str, str], call: dict[str, str]) -> None:
    runner, run = done(place, "emergency_stop", target)
    assert run.phase == "verified"
    said = probe.refused(place.home, {**probe.READS, **call})
    assert said is not None and said.verdict == "halt" and "a test of it" in said.reason
    if "all" not in target:
        assert probe.refused(place.home, {**probe.READS, "session_id": "other", "cwd": "/"}) is None
    runner.undo(run.id, "bob", "over")
    assert halts.active(place.home) == [] and run.phase == "undone"
    assert halts.active(place.home) == []
    assert (Path(place.home.state) / "halts.released").read_text(), "other machines release it too"


def test_throttle_session(place: Any) -> None:
    runner, run = done(place, "throttle_session", {"session": "s1"}, action_throttle_per_minute=4)
    (one,) = restraints.active(place.home)
    assert run.phase == "verified" and (one.kind, one.calls_per_minute, one.target) == ("throttle", 4, "s1")
    assert one.expires_at is not None
    runner.undo(run.id, "bob", "over")
    assert restraints.active(place.home) == []


def test_quarantine_session(place: Any) -> None:
    runner, run = done(place, "quarantine_session", {"session": "s1"})
    assert run.phase == "verified"
    assert probe.refused(place.home, {**probe.WRITES, "session_id": "s1"}) is not None
    assert probe.refused(place.home, {**probe.READS, "session_id": "s1"}) is None
    runner.undo(run.id, "bob", "over")
    assert probe.refused(place.home, {**probe.WRITES, "session_id": "s1"}) is None


def test_block_tool(place: Any) -> None:
    runner, run = done(place, "block_tool", {"tool": "mcp__db__*", "all": ""})
    assert run.phase == "verified"
    call = {"tool_name": "mcp__db__query", "tool_input": {}, "session_id": "s"}
    assert probe.rule_of(probe.refused(place.home, call)) == "restraint.block_tool"
    runner.undo(run.id, "bob", "over")
    assert probe.refused(place.home, call) is None


def test_a_halt_in_force_does_not_hide_whether_a_restraint_holds(place: Any) -> None:
    halts.set_halt(place.home, "all", "", "a stop came first", "ann")
    for name, target in (
        ("quarantine_session", {"session": "s1"}), ("throttle_session", {"session": "s1"}),
        ("block_tool", {"tool": "Bash", "session": "s1"}),
    ):  # fmt: skip
        assert done(place, name, target)[1].phase == "verified", name


# --- leases ----------------------------------------------------------------------------------------------------------


def lease(place: Any, path: str, session: str, *, heard_s: float, lasts_s: float = 100_000.0) -> int:
    """A lease on `path`, whose owner was heard of so many seconds ago."""
    now = time.time_ns() // 1000
    book = Book(place.home)
    holder = {"session": session, "agent": None, "project": None, "since_us": now - int(heard_s * 1e6)}
    try:
        fence = book.one_step(lambda: book.take(path, holder, now + int(lasts_s * 1e6)))
    finally:
        book.close()
    beat = Path(place.home.sessions, file_name(session))
    beat.parent.mkdir(exist_ok=True)
    beat.write_text("{}")
    os.utime(beat, (time.time() - heard_s,) * 2)
    return fence


def test_release_stale_lease(place: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "a.py")
    lease(place, path, "dead", heard_s=90_000)
    runner, run = done(place, "release_stale_lease", {"lease": path})
    assert run.phase == "verified" and leases.every(place.home) == []
    runner.undo(run.id, "bob", "it lives")
    (back,) = leases.every(place.home)
    assert back["session"] == "dead" and back["fence"] > run.undo["lease"]["fence"], "under a token that is newer"


def circle(place: Any, folder: Path, *names: str) -> list[str]:
    """Each session holds a file and waits for the next one's, all alive; the files, the last of them the youngest."""
    now, files = time.time_ns() // 1000, [str(folder / name) for name in names]
    book = Book(place.home)
    try:
        for number, (path, session) in enumerate(zip(files, names, strict=True)):
            holder = {"session": session, "agent": None, "project": "/p", "since_us": now - (99 - number) * 1_000_000}
            book.one_step(lambda path=path, holder=holder: book.take(path, holder, now + 500_000_000))
        for session, path in zip(names, [*files[1:], files[0]], strict=True):
            book.one_step(lambda path=path, session=session: book.wait(path, session, now))
    finally:
        book.close()
    return files


def holders(place: Any) -> dict[str, str]:
    return {Path(one["path"]).name: one["session"] for one in leases.every(place.home)}


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c", "d")])
def test_order_waiters(place: Any, tmp_path: Path, names: tuple[str, ...]) -> None:
    files = circle(place, tmp_path, *names)
    runner = place.runner()
    assert order_waiters.first(runner.world) == files[-1]
    fences = {one["path"]: one["fence"] for one in leases.every(place.home)}
    run = runner.run("order_waiters", {"lease": files[-1]}, by="ann", reason="a test of it")
    assert run.phase == "verified", run.why
    youngest, waited = names[-1], names[-2]
    assert holders(place) == {name: name for name in names[:-1]} | {youngest: waited}
    (handed,) = run.facts["handed"]
    assert handed["fence"] > max(fences.values()), "under a token that is newer than every other"
    assert order_waiters.first(runner.world) == ""
    leases.release(place.home, files[-1:])  # its new owner is through with it
    runner.undo(run.id, "bob", "over")
    assert holders(place) == {name: name for name in names}, run.why
    (back,) = [one for one in leases.every(place.home) if one["path"] == files[-1]]
    assert back["fence"] > handed["fence"]


def test_order_waiters_of_an_older_lease_names_the_one_that_yields(place: Any, tmp_path: Path) -> None:
    older, youngest = circle(place, tmp_path, "a", "b")
    run = place.runner().run("order_waiters", {"lease": older}, by="ann", reason="a test of it")
    assert (run.phase, run.why) == ("refused", f"the youngest lease of that circle yields: {youngest}")
    assert f"--lease {youngest} " in run.fix


# --- the projector and the stores ------------------------------------------------------------------------------------


def test_restart_projector_without_a_service_is_refused(place: Any) -> None:
    _, run = done(place, "restart_projector")
    assert run.phase == "refused" and "no service answers" in run.why


def test_restart_projector_that_the_service_does_not_do_has_failed(place: Any) -> None:
    place.answer = lambda operation: {"ok": operation == "ping", "error": "it is busy"}
    _, run = done(place, "restart_projector")
    assert run.phase == "failed" and "it is busy" in run.why
    assert place.asked[-1] == ("restart_loop", {"loop": "projector"})


@pytest.mark.slow
def test_restart_projector(place: Any) -> None:
    """A real service, whose child is ended and started again; the cursors go on."""
    from levaithan.actions.runner import Runner
    from levaithan.projector import status

    with homes.serving(place.home.root):
        homes.until(lambda: (status.read(place.home) or {}).get("doing") == "idle", 20)
        before = status.read(place.home)["pid"]
        runner = Runner(place.home, place.settings, place.write)
        run = runner.run("restart_projector", {}, by="ann", reason="a test")
        homes.until(lambda: runner.tick(time.time()) or run.phase != "done", 30)
        assert run.phase == "verified", run.why
        assert status.read(place.home)["pid"] != before
        homes.sync(place.home.root)


def test_no_other_loop_can_be_restarted(place: Any) -> None:
    with homes.serving(place.home.root):
        told = place.runner().world  # the home's own way of asking is used below
        from levaithan.actions import asking

        answer = asking.service(told.home, "restart_loop", 5.0, {"loop": "watch"})
        assert answer is not None and answer["ok"] is False and "projector" in answer["error"]


def test_retry_dead_letters(place: Any) -> None:
    """A record over the ledger's limit waits; with a higher limit it arrives."""
    place.write("note", {"by": "ann", "text": "x"})
    homes.cli(place.home.root, "audit", "list")
    text = "y" * 5000
    small = place.settings.model_copy(update={"ledger_max_field_bytes": 1024})
    place.write("incident", {"action": "open", "title": text, "text": text, "by": "ann"})
    from levaithan.projector import loop

    loop.catch_up(place.home, small)
    from levaithan.actions.retry_dead_letters import waiting

    world = place.runner().world
    assert waiting(world, "ledger") == 1
    _, run = done(place, "retry_dead_letters", {"store": "ledger"})
    assert run.phase == "verified" and waiting(world, "ledger") == 0


def test_retry_where_none_wait_is_refused(place: Any) -> None:
    homes.cli(place.home.root, "audit", "list")
    _, run = done(place, "retry_dead_letters", {"store": "ledger"})
    assert run.phase == "refused"


def test_circuit_break_store(place: Any) -> None:
    runner, run = done(place, "circuit_break_store", {"store": "search"})
    assert run.phase == "verified"
    assert "circuit is broken" in modes.held(place.home, "search", remote=False)
    assert modes.held(place.home, "graph", remote=False) == ""
    place.passes(700, runner, step=30)
    homes.until(lambda: runner.tick(place.now) or run.phase != "verified", 20)
    assert run.phase == "expired" and modes.held(place.home, "search", remote=False) == ""


@pytest.mark.parametrize("store", ["ledger", "counters", "nothing"])
def test_a_circuit_that_is_not_to_be_broken(place: Any, store: str) -> None:
    _, run = done(place, "circuit_break_store", {"store": store})
    assert run.phase == "refused" and modes.breakers(place.home) == {}


def test_a_circuit_that_a_person_broke_is_not_closed(place: Any) -> None:
    until = (time.time_ns() // 1000) + 3_600_000_000
    modes.break_circuit(place.home, "search", until, by="ann", reason="repairs")
    _, run = done(place, "circuit_break_store", {"store": "search"})
    assert run.phase == "refused" and modes.breakers(place.home)["search"]["by"] == "ann"


def _projector(place: Any, *, remote: int, workers: int = 1) -> None:
    """What the projector says of itself."""
    Path(place.home.run).mkdir(exist_ok=True)
    told = {"pid": 1, "stores": {}, "remote": remote, "workers": workers, "doing": "idle"}
    Path(place.home.run, "projector.json").write_text(json.dumps(told))


def test_scale_projector(place: Any) -> None:
    _projector(place, remote=4)
    place.readings["lag_seconds"] = 100.0
    runner, run = done(place, "scale_projector")
    assert modes.workers(place.home) == 2 and run.phase == "done"
    place.readings["lag_seconds"] = 81.0
    place.passes(5, runner)
    assert run.phase == "done", "not yet by a fifth, and not by more processes"
    place.readings["lag_seconds"] = 79.0
    place.passes(5, runner)
    assert run.phase == "done", "the second process is not there"
    _projector(place, remote=4, workers=2)
    place.passes(5, runner)
    assert run.phase == "verified"
    place.passes(890, runner, step=10)
    assert modes.workers(place.home) == 2, "79 s are not inside the objective"
    place.readings["lag_seconds"] = 10.0
    place.passes(890, runner, step=10)
    assert modes.workers(place.home) == 2
    place.passes(30, runner, step=10)
    assert modes.workers(place.home) == 1 and run.phase == "expired"


def test_scaling_goes_up_to_four_and_down_one_at_a_time(place: Any) -> None:
    _projector(place, remote=4, workers=4)
    runner = place.runner()
    runs = [runner.run("scale_projector", {}, by="ann", reason="x") for _ in range(4)]
    assert [run.phase for run in runs] == ["verified"] * 3 + ["refused"] and modes.workers(place.home) == 4
    found = []
    for _ in range(4):
        place.passes(905, runner, step=5)
        found.append(modes.workers(place.home))
    assert found == [3, 2, 1, 1]


@pytest.mark.parametrize(("remote", "memory", "why"), [(0, 0.3, "on servers"), (4, 0.86, "86% of the memory")])
def test_scaling_is_refused(place: Any, remote: int, memory: float, why: str) -> None:
    _projector(place, remote=remote)
    place.readings["memory_used_ratio"] = memory
    _, run = done(place, "scale_projector")
    assert run.phase == "refused" and why in run.why and modes.workers(place.home) == 1


def test_a_lag_that_does_not_fall_takes_the_process_back(place: Any) -> None:
    _projector(place, remote=4, workers=2)
    place.readings["lag_seconds"] = 500.0
    runner, _ = done(place, "scale_projector")
    place.passes(400, runner, step=10)
    assert place.phases() == ["intent", "done", "failed", "undone"] and modes.workers(place.home) == 1


def _script(tmp_path: Path, body: str) -> str:
    path = tmp_path / "platform.py"
    path.write_text(body)
    return f"{sys.executable} {path}"


def test_platform_hook(place: Any, tmp_path: Path) -> None:
    told = tmp_path / "told"
    tell = f"open({str(told)!r}, 'a').write(json.dumps([sys.argv[1:], sorted(os.environ)]) + chr(10))"
    script = _script(tmp_path, f"import json, os, sys\n{tell}\n")
    up = f"{script} up '; touch {tmp_path}/shell'"
    runner, run = done(place, "platform_hook", action_platform_up=up, action_platform_down=f"{script} down")
    assert run.phase == "verified"
    runner.undo(run.id, "bob", "over")
    (first, environment), (last, _) = [json.loads(line) for line in told.read_text().splitlines()]
    assert first == ["up", f"; touch {tmp_path}/shell"] and last == ["down"] and not (tmp_path / "shell").exists()
    assert not [name for name in environment if "LEVAITHAN" in name or "CLAUDE" in name]


def test_nothing_of_an_incident_reaches_the_command(place: Any, tmp_path: Path) -> None:
    told = tmp_path / "told"
    tell = f"open({str(told)!r}, 'w').write(repr((sys.argv, dict(os.environ))))"
    runner = place.runner(action_platform_up=_script(tmp_path, f"import os, sys\n{tell}\n"))
    place.readings["lag_seconds"] = 300.0
    labels = {"store": "evil;ls"}
    place.opened(runner, place.incident("P2", "performance", "StoreBehind", title="$(touch x)", labels=labels))
    homes.until(lambda: runner.tick(place.now) or told.exists(), 20)
    homes.until(lambda: runner.tick(place.now) or not runner.following.jobs, 20)
    assert "touch" not in told.read_text() and "evil" not in told.read_text()


@pytest.mark.parametrize(
    ("body", "why"),
    [("raise SystemExit(3)", "ended with 3"), ("import time; time.sleep(30)", "did not end within 1 s")],
)
def test_a_platform_command_that_fails_or_hangs(place: Any, tmp_path: Path, body: str, why: str) -> None:
    began = time.monotonic()
    _, run = done(place, "platform_hook", action_platform_up=_script(tmp_path, body), action_platform_timeout_s=1)
    assert run.phase == "failed" and why in run.why and time.monotonic() - began < 10


@pytest.mark.parametrize("command", [None, "'unclosed", "/nonexistent/program"])
def test_a_platform_command_that_there_is_not(place: Any, command: str | None) -> None:
    _, run = done(place, "platform_hook", action_platform_up=command)
    assert run.phase in ("refused", "failed")


# --- modes -----------------------------------------------------------------------------------------------------------


def test_degrade_goes_down_in_order_and_up_again_in_reverse(place: Any) -> None:
    runner = place.runner()
    off: list[tuple[str, ...]] = []
    for _ in range(6):
        runner.run("degrade", {}, by="ann", reason="x")
        off.append(modes.look(place.home)["off"])
    assert off[0] == (modes.EMBEDDINGS,)
    assert off[4] == off[5] == (
        modes.EMBEDDINGS, modes.LOG_PATTERNS, modes.LIVE_STREAM, modes.CONTEXT, modes.SERVER_STORES, modes.SHARED_STATE,
    )  # fmt: skip
    found = []
    for _ in range(6):
        place.passes(305, runner, step=5)
        found.append(modes.look(place.home)["level"])
    assert found == [4, 3, 2, 1, 0, 0]


def test_it_comes_on_again_only_a_fifth_below_the_objective(place: Any) -> None:
    runner = place.runner()
    runner.run("degrade", {}, by="ann", reason="x")
    place.readings["load_per_cpu"] = 1.7  # within the objective of 2, not by a fifth
    place.passes(1000, runner, step=5)
    assert modes.look(place.home)["level"] == 1
    place.readings["load_per_cpu"] = 1.5
    place.passes(290, runner, step=5)
    assert modes.look(place.home)["level"] == 1
    place.passes(20, runner, step=5)
    assert modes.look(place.home)["level"] == 0


def test_a_trouble_that_returns_begins_the_wait_anew(place: Any) -> None:
    runner = place.runner()
    runner.run("degrade", {}, by="ann", reason="x")
    for _ in range(5):
        place.passes(250, runner, step=5)
        place.readings["load_per_cpu"] = 3.0
        place.passes(10, runner, step=5)
        place.readings["load_per_cpu"] = 0.1
    assert modes.look(place.home)["level"] == 1


def test_a_mode_that_a_person_chose_is_not_changed(place: Any) -> None:
    runner, run = done(place, "degrade")
    modes.set_mode(place.home, 5, by="ann", reason="repairs")
    place.passes(400, runner, step=5)
    assert modes.look(place.home)["level"] == 5 and run.phase == "expired"


@pytest.mark.parametrize("alert", ["DiskFull", "DiskLow", "DiskFilling"])
def test_a_full_disk_is_well_when_there_is_room_and_not_before(place: Any, alert: str) -> None:
    runner = place.runner()
    place.readings["disk_short_ratio"] = 3.0
    place.opened(runner, place.incident("P0" if alert == "DiskFull" else "P2", "performance", alert))
    (run,) = runner.runs.open()
    place.passes(60, runner, step=5)
    assert run.phase == "done", "every other reading is well"
    place.readings["disk_short_ratio"] = 0.9
    place.passes(5, runner)
    assert run.phase == "verified"
    place.passes(1000, runner, step=5)
    assert modes.look(place.home)["level"] == 1, "it has room, not a fifth more"
    place.readings["disk_short_ratio"] = 0.5
    place.passes(310, runner, step=5)
    assert run.phase == "expired" and modes.look(place.home)["level"] == 0


def test_what_frees_no_room_has_failed_and_is_taken_back(place: Any) -> None:
    place.readings["disk_short_ratio"] = 3.0
    runner = place.runner()
    place.opened(runner, place.incident("P2", "performance", "DiskLow"))
    place.passes(700, runner, step=10)
    assert place.phases() == ["intent", "done", "failed", "undone"] and modes.look(place.home)["level"] == 0


def test_slow_hooks_are_well_when_they_are_quick_again(place: Any) -> None:
    place.readings["gate_p99_seconds"] = 0.8
    runner = place.runner()
    place.opened(runner, place.incident("P1", "performance", "HooksVerySlow"))
    (run,) = runner.runs.open()
    place.passes(60, runner, step=5)
    assert run.phase == "done"
    again = place.runner().runs.by_id[run.id]
    assert again.alert == "HooksVerySlow", "a restart knows what it is verified by"
    place.readings["gate_p99_seconds"] = 0.06
    place.passes(5, runner)
    assert run.phase == "verified"


def test_a_disk_that_is_always_nearly_full_keeps_no_other_trouble_from_being_over(place: Any) -> None:
    place.readings |= {"disk_short_ratio": 3.0, "gate_p99_seconds": 0.8}
    runner = place.runner()
    place.opened(runner, place.incident("P2", "performance", "MemoryLow"))
    (run,) = runner.runs.open()
    assert run.phase == "verified"
    place.passes(310, runner, step=5)
    assert run.phase == "expired"


def test_the_readings_of_this_machine(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from levaithan.actions import readings

    assert {readings.MEMORY_USED, readings.LOAD, readings.LAG, readings.DISK} <= set(readings.look(place.home))
    disk = SimpleNamespace(f_blocks=1_000_000, f_frsize=4096, f_bavail=75_000)
    monkeypatch.setattr(readings.os, "statvfs", lambda _path: disk)
    assert readings.look(place.home)[readings.DISK] == pytest.approx(2.0), "half of the 15% that should be free"
    disk.f_blocks, disk.f_bavail = 100_000, 24_414
    assert readings.look(place.home)[readings.DISK] == pytest.approx(2.0, rel=1e-3), "half of the 200 MB"
    known = set(readings.OBJECTIVES) - {readings.GATE_P99}
    assert known <= set(readings.look(place.home)), "what is waited for is read (the hooks' p99 by the monitor)"


def test_degrading_never_stops_an_agent(place: Any) -> None:
    modes.set_mode(place.home, modes.LOWEST, by="ann", reason="x")
    _, run = done(place, "degrade")
    assert run.phase == "refused" and halts.active(place.home) == []


def test_a_probe_of_a_broken_workflow_is_no_proof(place: Any) -> None:
    Path(place.home.hooks, "policy_check.py").write_text("def hook(:")
    with pytest.raises(RuntimeError, match="policy_check"):
        probe.refused(place.home, probe.READS)
    assert flows.load(place.home)[0] is not None
