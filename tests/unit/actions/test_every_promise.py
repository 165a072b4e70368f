"""What is promised of every action, looked at for each of them: a dry run does nothing, the same again goes no further,
a command undoes it, and what does not last ends by itself. All of them, done to a real home."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes
from tests.unit.actions.test_each_action import circle, lease

from levaithan.actions import registry
from levaithan.actions.retry_dead_letters import waiting
from levaithan.hot import halts, leases, modes, restraints

NOTHING_STAYS = ("release_stale_lease", "restart_projector", "retry_dead_letters")
"""They are over when they are done: what holds then is not theirs."""

LASTS_S = {
    "throttle_session": 1800, "quarantine_session": 3600, "block_tool": 3600, "circuit_break_store": 600,
    "order_waiters": 600,    "platform_hook": 3600, "scale_projector": 900, "degrade": 300,
}  # fmt: skip
"""As docs/how-to/actions.md promises it; of the last two the time that all must have been well."""


class Set:
    """A place in which `name` has something to do; target, runner, and how the world stands."""

    def __init__(self, place: Any, tmp_path: Path, name: str) -> None:
        self.place, self.name, self.told = place, name, tmp_path / "told"
        self.target: dict[str, str] = {"session": "s1"} if registry.ACTIONS[name].stops_work else {}
        script = tmp_path / "platform.py"
        script.write_text(f"import sys\nopen({str(self.told)!r}, 'a').write(sys.argv[1] + chr(10))\n")
        platform = {f"action_platform_{way}": f"{sys.executable} {script} {way}" for way in ("up", "down")}
        self.runner = place.runner(**platform, action_dry_run="off")
        getattr(self, "_" + name, lambda: None)()

    def _block_tool(self) -> None:
        self.target["tool"] = "Bash"

    def _release_stale_lease(self) -> None:
        self.target = {"lease": str(self.told.with_name("a.py"))}
        lease(self.place, self.target["lease"], "dead", heard_s=90_000)

    def _order_waiters(self) -> None:
        self.target = {"lease": circle(self.place, self.told.parent, "a.py", "b.py")[1]}

    def ends(self) -> None:
        """Who got something by it is through with that: only what is free is given back."""
        if self.name == "order_waiters":
            leases.release(self.place.home, [self.target["lease"]])

    def _circuit_break_store(self) -> None:
        self.target = {"store": "search"}

    def _scale_projector(self) -> None:
        self.projects(1)

    def _restart_projector(self) -> None:
        self.projects(1)
        pids = itertools.count(2)
        self.place.answer = lambda operation: self.projects(next(pids) if operation == "restart_loop" else 0)

    def _retry_dead_letters(self) -> None:
        from levaithan.projector import loop

        self.target = {"store": "ledger"}
        homes.cli(self.place.home.root, "audit", "list")
        small = self.place.settings.model_copy(update={"ledger_max_field_bytes": 1024})
        self.place.write("incident", {"action": "open", "title": "y" * 5000, "text": "y" * 5000, "by": "ann"})
        loop.catch_up(self.place.home, small)

    def projects(self, pid: int) -> dict[str, Any]:
        """The projector says that it is the process `pid` now; 0: it says what it said."""
        if pid:
            Path(self.place.home.run).mkdir(exist_ok=True)
            told = {"pid": pid, "stores": {"ledger": {"seq": 5}}, "head_seq": 5, "remote": 4, "workers": 2,
                    "doing": "idle"}  # fmt: skip
            Path(self.place.home.run, "projector.json").write_text(json.dumps(told))
        return {"ok": True}

    def run(self, **more: Any) -> Any:
        return self.runner.run(self.name, self.target, by="ann", reason="a test of it", **more)

    def world(self) -> dict[str, Any]:
        """Everything that an action may change."""
        home = self.place.home
        mode = modes.look(home)
        told = self.told.read_text().split() if self.told.exists() else []
        return {
            "halts": [one.scope for one in halts.active(home)],
            "restraints": [one.kind for one in restraints.active(home)],
            "level": mode["level"], "workers": mode["workers"], "broken": sorted(mode["breakers"]),
            "leases": [(one["path"], one["session"]) for one in leases.every(home)],
            "platform": told.count("up") - told.count("down"),
            "restarted": sum(operation == "restart_loop" for operation, _ in self.place.asked),
            "letters": waiting(self.runner.world, "ledger") if self.name == "retry_dead_letters" else 0,
        }  # fmt: skip


@pytest.fixture(params=sorted(registry.ACTIONS))
def stage(request: pytest.FixtureRequest, place: Any, tmp_path: Path) -> Set:
    return Set(place, tmp_path, request.param)


def test_a_dry_run_does_nothing_and_is_in_the_journal(stage: Set) -> None:
    before = stage.world()
    run = stage.run(dry_run=True)
    assert (run.phase, stage.world()) == ("dry_run", before)
    (record,) = stage.place.records()
    assert (record["action"], record["phase"]) == (stage.name, "dry_run")


def test_it_is_done_verified_and_the_same_again_goes_no_further(stage: Set) -> None:
    before = stage.world()
    run = stage.run()
    assert run.phase == "verified", run.why
    assert stage.place.phases(run.id) == ["intent", "done", "verified"]
    done = stage.world()
    assert done != before
    again = stage.run()
    if registry.ACTIONS[stage.name].adds_up:
        assert again is not run, "one step further is what a second run is for"
        return
    if stage.name == "restart_projector":  # over when it is verified; to do it again is another deed, and bounded
        return
    assert again is run or again.phase == "refused"
    assert stage.world() == done


def test_while_it_is_under_way_the_same_again_is_the_same_run(stage: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace
    from types import MappingProxyType

    never = replace(registry.ACTIONS[stage.name], check=lambda *_: None)
    for module in ("runner", "following"):
        actions = MappingProxyType(dict(registry.ACTIONS) | {stage.name: never})
        monkeypatch.setattr(f"levaithan.actions.{module}.ACTIONS", actions)
    run = stage.run()
    done = stage.world()
    assert run.phase == "done"
    assert stage.run() is run
    assert stage.world() == done


def test_a_command_undoes_it(stage: Set) -> None:
    before = stage.world()
    run = stage.run()
    done = stage.world()
    stage.ends()
    stage.runner.undo(run.id, "bob", "over")
    assert run.phase == "undone"
    assert stage.place.records()[-1]["by"] == "bob"
    lasting = stage.name in ("restart_projector", "retry_dead_letters")
    assert stage.world() == (done if lasting else before)


def test_what_does_not_last_ends_by_itself(stage: Set) -> None:
    before = stage.world()
    run = stage.run()
    done = stage.world()
    lasts_s = LASTS_S.get(stage.name)
    if lasts_s is None:
        stage.place.passes(90_000, stage.runner, step=50)
        assert (run.phase, stage.world()) == ("verified", done)
        assert stage.name in (*NOTHING_STAYS, "emergency_stop")
        return
    stage.place.passes(lasts_s - 30, stage.runner, step=30)
    assert (run.phase, stage.world()) == ("verified", done)
    stage.ends()
    stage.place.passes(60, stage.runner, step=5)
    homes.until(lambda: stage.runner.tick(stage.place.now) or not stage.runner.following.jobs, 20)
    assert (run.phase, stage.world()) == ("expired", before)


@pytest.mark.parametrize(
    ("name", "most"), [("restart_projector", 3), ("platform_hook", 2), ("degrade", 2), ("throttle_session", 2)]
)
def test_by_itself_it_is_done_so_often_an_hour_and_no_more(place: Any, tmp_path: Path, name: str, most: int) -> None:
    stage = Set(place, tmp_path, name)
    action, told = registry.ACTIONS[name], []
    for number in range(most + 2):
        incident = place.incident("P2", "performance", "SomeAlert", id=f"i{number}")
        run = stage.runner.by_itself(action, stage.target, incident, place.now)
        homes.until(lambda: stage.runner.tick(place.now) or not stage.runner.following.jobs, 20)
        told.append(run.phase)
        if run.phase != "refused":
            stage.runner.undo(run.id, "ann", "the next one")
        place.passes(60, stage.runner, step=30)
    assert told == ["verified"] * most + ["refused"] * 2
    assert place.phases().count("intent") == most
    place.passes(3600, stage.runner, step=50)
    assert stage.runner.by_itself(action, stage.target, place.incident(id="later"), place.now).phase != "refused"
    homes.until(lambda: stage.runner.tick(place.now) or not stage.runner.following.jobs, 20)
