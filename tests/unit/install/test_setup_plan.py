"""Setting a home up: the plan, each part once, what a person changed kept; the demonstration; taking it all away."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from levaithan.errors import Unhealthy, UsageProblem
from levaithan.hot import hotconf, paths
from levaithan.hot.paths import Home
from levaithan.install import command, demo, home_files, home_folders, hooks, registry, setup_plan
from levaithan.install.setup_plan import Options


@pytest.fixture
def fresh(tmp_path: Path, person: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home that is not there yet. What it is set up with leaves its gate time on a busy machine."""
    monkeypatch.setenv("LEVAITHAN_DEADLINE_MS", "4000")
    return paths.home_at(str(tmp_path / "fresh"))


def apply(home: Home, options: Options) -> list[str]:
    """Apply a plan; the ids of the steps that were needed."""
    done = []
    for step in setup_plan.plan(home, options):
        if step.needed():
            assert step.apply()
            done.append(step.id)
    return done


def test_a_home_is_made_once_and_then_there_is_nothing_to_do(fresh: Home, project: Path) -> None:
    options = Options(projects=(str(project),))
    steps = setup_plan.plan(fresh, options)
    assert not Path(fresh.root).exists()
    assert all(step.describe for step in steps)
    done = apply(fresh, options)
    assert done[:3] == ["folders", "files", "env"]
    assert done[-3:] == ["conf", "key", "hooks"]
    before = {path: path.stat().st_mtime_ns for path in Path(fresh.root).rglob("*") if path.is_file()}
    assert apply(fresh, options) == []
    assert {path: path.stat().st_mtime_ns for path in Path(fresh.root).rglob("*") if path.is_file()} == before
    assert Path(fresh.root, ".env").stat().st_mode & 0o777 == 0o600
    assert Path(fresh.keys, "journal.key").stat().st_mode & 0o777 == 0o600
    assert hotconf.read(fresh.hot_conf).python == command.real_python()


def test_a_wrong_place_is_said_before_anything_is_done(fresh: Home, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem):
        setup_plan.plan(fresh, Options(projects=(str(tmp_path / "nowhere"),)))
    assert not Path(fresh.root).exists()


def test_what_a_person_changed_is_kept_and_said(fresh: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    apply(fresh, Options())
    rules = Path(fresh.context, "policies", "base.toml")
    rules.write_text("# mine\n")
    Path(fresh.root, ".env").write_text("LEVAITHAN_FSYNC=never\n")
    assert apply(fresh, Options()) == ["conf"]
    assert hotconf.read(fresh.hot_conf).fsync == "never"
    Path(fresh.hooks, "halt_check.py").unlink()
    assert home_files.stale_files(fresh) == ["hooks/halt_check.py"]
    assert "base.toml" in home_files.copy_files(fresh)
    assert rules.read_text() == "# mine\n"

    newer = tmp_path / "newer"
    for name in ("context/workflows.toml", "hooks/halt_check.py", "context/policies/base.toml"):
        target = newer / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((home_files.shipped() / name).read_text() + "# newer\n")
    monkeypatch.setattr(home_files, "shipped", lambda: newer)
    assert sorted(home_files.stale_files(fresh)) == ["context/workflows.toml", "hooks/halt_check.py"]
    home_files.copy_files(fresh)
    assert Path(fresh.hooks, "halt_check.py").read_text().endswith("# newer\n")
    assert rules.read_text() == "# mine\n"


def test_without_a_compiler_the_plan_does_not_ask_for_one_again_and_again(
    fresh: Home, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("CC", "")
    options = Options(projects=(str(project),))
    assert "client" not in apply(fresh, options)
    assert apply(fresh, options) == []
    assert hooks.handlers(hooks.place_of(str(project)))[0].words[0] == command.real_python()


def test_the_demonstration_leaves_one_deny_in_the_journal_and_nothing_else(fresh: Home) -> None:
    apply(fresh, Options())
    heard: list[tuple[int, int]] = []
    shown = demo.run(fresh, lambda done, total: heard.append((done, total)))
    assert heard[-1] == (shown.sent, shown.sent)
    assert len(shown.denied) == 1
    assert "rm -rf /" in shown.denied[0]
    assert not Path(shown.project).exists()
    assert registry.load(fresh) == {}
    lines = b"".join(path.read_bytes() for path in sorted(Path(fresh.journal).glob("*.log"))).splitlines()
    records = [json.loads(line[65:]) for line in lines]
    events = [one for one in records if one.get("session_id") == shown.session]
    assert [one["event"] for one in events] == [one["hook_event_name"] for one in demo.session("x", "/p")]
    assert [one["tool_name"] for one in events if one["decision"] == "deny"] == ["Bash"]
    assert {one["project"] for one in events} == {shown.project}
    assert demo.was_shown(fresh)
    assert not setup_plan.demo_step(fresh, lambda: "").needed()


def test_a_demonstration_that_is_not_denied_is_a_failure_and_leaves_nothing(fresh: Home) -> None:
    apply(fresh, Options())
    Path(fresh.hooks, "policy_check.py").write_text("def hook(event, context):\n    return None\n")
    before = set(Path("/tmp").glob("levaithan-demo-*"))
    with pytest.raises(Unhealthy):
        demo.run(fresh)
    assert set(Path("/tmp").glob("levaithan-demo-*")) <= before
    assert registry.load(fresh) == {}
    assert not demo.was_shown(fresh)


def test_two_demonstrations_share_no_identity() -> None:
    first, second = demo.session("demo-1-aaaaaaaaaaaa", "/a"), demo.session("demo-1-bbbbbbbbbbbb", "/a")
    keys = ("prompt_id", "tool_use_id", "session_id")
    assert not {one.get(key) for one in first for key in keys} & {
        one[key] for one in second for key in keys if key in one
    }
    assert "{" not in json.dumps([list(one.values()) for one in first if one["hook_event_name"] == "SessionStart"])


def test_a_project_with_odd_letters_is_put_into_the_session_unharmed() -> None:
    assert demo.session("s", '/tmp/a "b\\c\n')[0]["cwd"] == '/tmp/a "b\\c\n'


def test_taking_everything_away_leaves_what_is_not_ours(fresh: Home) -> None:
    apply(fresh, Options())
    Path(fresh.root, "notes.md").write_text("mine")
    home_files.remove(fresh)
    assert os.listdir(fresh.root) == ["notes.md"]
    Path(fresh.root, "notes.md").unlink()
    apply(fresh, Options())
    assert fresh.root in home_files.remove(fresh)
    assert not Path(fresh.root).exists()


def test_the_interpreter_is_no_shim_and_no_link(tmp_path: Path) -> None:
    shim = tmp_path / "python3"
    shim.write_text('#!/bin/sh\nexec python3 "$@"\n')
    shim.chmod(0o755)
    real = command.real_python()
    assert command.real_python([str(shim), real]) == real
    link = tmp_path / "link"
    link.symlink_to(real)
    assert command.real_python([str(link)]) == real
    old = tmp_path / "old"
    with pytest.raises(Exception, match="does not run"):
        command.real_python([str(old)])


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o077], ids=oct)
def test_nobody_else_may_write_into_a_home_whatever_the_umask_is(tmp_path: Path, mask: int) -> None:
    """The rules and hooks are what the guard runs: who may put a file beside them decides in its place."""
    home = paths.home_at(str(tmp_path / "new" / "home"))
    before = os.umask(mask)
    try:
        home_folders.make_folders(home)
        home_files.copy_files(home)
    finally:
        os.umask(before)
    made = [Path(home.root), *Path(home.root).rglob("*")]
    assert [str(path) for path in made if path.stat().st_mode & 0o022] == []
    assert home_folders.folders(home) == []


def test_a_home_that_others_may_write_into_is_found_and_closed(tmp_path: Path) -> None:
    home = paths.home_at(str(tmp_path / "home"))
    home_folders.make_folders(home)
    home_files.copy_files(home)
    open_ = [home.root, home.context, home.context + "/policies", home.hooks]
    for folder in open_:
        Path(folder).chmod(0o777)
    assert set(home_folders.folders(home)) == set(open_)
    home_folders.make_folders(home)
    assert home_folders.folders(home) == []
    assert {Path(folder).stat().st_mode & 0o777 for folder in open_} == {0o755}
