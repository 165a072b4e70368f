"""Settings files on the disk: installed, again, at once by two, taken out to the byte; links, modes, refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from levaithan.errors import InstallError, NotConfigured, UsageProblem
from levaithan.hot import paths
from levaithan.hot.catalogue import EVENTS, GUARDS
from levaithan.hot.paths import Home
from levaithan.install import hooks, listing, places, registry, settings_file
from levaithan.install.places import Place

FOREIGN = '{\n   "permissions": {"deny": ["Read(./secret)"]},\r\n\t"hooks": {"Stop": [ ]  },\n "model":"x" }'


def settings_of(project: Path, name: str = "settings.json") -> Path:
    return project / ".claude" / name


def put(project: Path, text: str = FOREIGN, mode: int = 0o640) -> Path:
    file = settings_of(project)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text.encode())
    file.chmod(mode)
    return file


def place(project: Path, *, local: bool = False) -> Place:
    return hooks.place_of(str(project), local=local)


def test_every_event_is_registered_once_by_absolute_path_and_guards_fail_closed(home: Home, project: Path) -> None:
    hooks.install(home, place(project))
    written = json.loads(settings_of(project).read_text())["hooks"]
    assert set(written) == {spec.name for spec in EVENTS.values() if spec.registered}
    for event, groups in written.items():
        ((handler,),) = [group["hooks"] for group in groups]
        assert handler["type"] == "command"
        assert handler["command"] == home.bin + "/levaithan-hook"
        assert handler["args"] == [event, "--home", home.root]
        assert handler["timeout"] == EVENTS[event].timeout_s
        assert handler.get("onFailure") == ("block" if event in GUARDS else None)


def test_without_a_native_client_the_real_interpreter_is_registered(home: Home, project: Path) -> None:
    Path(home.bin, "levaithan-hook").unlink()
    hooks.install(home, place(project))
    handler = json.loads(settings_of(project).read_text())["hooks"]["PreToolUse"][0]["hooks"][0]
    assert os.path.realpath(handler["command"]) == handler["command"]
    assert not Path(handler["command"]).is_symlink()
    assert handler["args"][:2] == ["-I", "-S"]
    assert Path(handler["args"][2]).is_file()


def test_install_and_uninstall_give_the_bytes_and_the_mode_back(home: Home, project: Path) -> None:
    file = put(project)
    change, _said = hooks.install(home, place(project))
    assert change.what == "changed"
    assert file.stat().st_mode & 0o777 == 0o640
    assert Path(registry.load(home)[str(file)].backup).read_bytes() == FOREIGN.encode()
    assert hooks.uninstall(home, place(project)).what == "changed"
    assert file.read_bytes() == FOREIGN.encode()
    assert file.stat().st_mode & 0o777 == 0o640
    assert registry.load(home) == {}
    assert list(Path(home.state, "backups").iterdir()) == []


def test_what_was_made_goes_again(home: Home, project: Path) -> None:
    hooks.install(home, place(project))
    assert hooks.uninstall(home, place(project)).what == "deleted"
    assert list(project.iterdir()) == []


def test_a_folder_that_somebody_uses_meanwhile_stays(home: Home, project: Path) -> None:
    hooks.install(home, place(project))
    (project / ".claude" / "notes.md").write_text("mine")
    hooks.uninstall(home, place(project))
    assert [path.name for path in (project / ".claude").iterdir()] == ["notes.md"]


def test_twice_is_no_change(home: Home, project: Path) -> None:
    file = put(project)
    hooks.install(home, place(project))
    before, listed = file.stat(), Path(home.installs).read_bytes()
    change, _said = hooks.install(home, place(project))
    after = file.stat()
    assert not change.changed
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    assert Path(home.installs).read_bytes() == listed


def test_changed_by_others_since_only_ours_goes(home: Home, project: Path) -> None:
    file = put(project, '{\n  "model": "x"\n}\n')
    hooks.install(home, place(project))
    file.write_text(file.read_text().replace('"model": "x"', '"model": "y"'))
    hooks.uninstall(home, place(project))
    assert file.read_text() == '{\n  "model": "y"\n}\n'


def test_a_file_of_ours_that_others_filled_is_not_deleted(home: Home, project: Path) -> None:
    hooks.install(home, place(project))
    file = settings_of(project)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model": "y"}, indent=2))
    Path(home.bin, "levaithan-hook").unlink()  # the next install changes the entries
    hooks.install(home, place(project))
    hooks.uninstall(home, place(project))
    assert json.loads(file.read_text()) == {"model": "y"}


def test_a_new_client_is_brought_up_to_date_and_the_first_bytes_still_come_back(home: Home, project: Path) -> None:
    file = put(project)
    hooks.install(home, place(project))
    Path(home.bin, "levaithan-hook").unlink()
    change, _said = hooks.install(home, place(project))
    assert change.changed
    assert b"levaithan-hook" not in file.read_bytes()
    hooks.uninstall(home, place(project))
    assert file.read_bytes() == FOREIGN.encode()


def test_a_lost_list_of_installs_does_not_bring_our_own_entries_back(home: Home, project: Path) -> None:
    file = put(project, '{"model": "x"}')
    hooks.install(home, place(project))
    Path(home.installs).unlink()
    hooks.install(home, place(project))
    hooks.uninstall(home, place(project))
    assert file.read_text() == '{"model": "x"}'


def test_a_list_of_installs_that_cannot_be_read_is_said(home: Home, project: Path) -> None:
    Path(home.installs).write_text("{")
    with pytest.raises(InstallError) as refused:
        hooks.install(home, place(project))
    assert home.installs in refused.value.message
    assert not settings_of(project).exists()


def test_a_link_is_followed_and_stays_a_link(home: Home, project: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_bytes(FOREIGN.encode())
    link = settings_of(project)
    link.parent.mkdir()
    link.symlink_to(real)
    hooks.install(home, place(project))
    assert link.is_symlink()
    assert b"levaithan-hook" in real.read_bytes()
    hooks.uninstall(home, place(project))
    assert link.is_symlink()
    assert real.read_bytes() == FOREIGN.encode()


@pytest.mark.parametrize(
    "text", ["// no\n{}", '{"hooks": []}', '{"hooks": {"PreToolUse": 1}}', "\xff".encode("latin-1")]
)
def test_what_cannot_be_parsed_is_refused_with_its_place_and_left(home: Home, project: Path, text: str | bytes) -> None:
    file = put(project)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = file.stat().st_mtime_ns
    with pytest.raises(InstallError) as refused:
        hooks.install(home, place(project))
    assert f"{file}:1" in refused.value.message
    assert refused.value.fix
    assert file.stat().st_mtime_ns == before
    assert registry.load(home) == {}
    assert [path.name for path in file.parent.iterdir()] == ["settings.json"]


def test_a_dry_run_shows_the_difference_and_writes_nothing(home: Home, project: Path) -> None:
    change, _said = hooks.install(home, place(project), dry_run=True)
    assert change.what == "created"
    assert "--- /dev/null" in change.diff()
    assert '+  "hooks": {' in change.diff()
    assert list(project.iterdir()) == []
    assert not Path(home.installs).exists()


def test_user_settings_follow_the_configuration_folder(
    home: Home, person: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks.install(home, hooks.place_of(None, user=True))
    assert (person / ".claude" / "settings.json").is_file()
    assert (person / ".claude").stat().st_mode & 0o777 == 0o700
    assert (person / ".claude" / "settings.json").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "elsewhere"))
    hooks.install(home, hooks.place_of(None, user=True))
    assert (tmp_path / "elsewhere" / "settings.json").is_file()
    assert {one.what for one in hooks.uninstall_all(home) if not isinstance(one, InstallError)} == {"deleted"}
    assert not (person / ".claude").exists()


def test_one_place_that_cannot_be_changed_does_not_keep_the_others(home: Home, project: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    for folder in (project, second):
        hooks.install(home, place(folder))
    settings_of(project).write_text("{ broken")
    done = hooks.uninstall_all(home)
    assert isinstance(done[0], InstallError)
    assert list(second.iterdir()) == []
    assert [one.project for one in registry.load(home).values()] == [str(project)]


def test_a_home_that_cannot_decide_is_not_registered(home: Home, project: Path) -> None:
    Path(home.hot_conf).write_text("python=/nonexistent/python\n")
    with pytest.raises(NotConfigured):
        hooks.install(home, place(project))
    Path(home.context, "workflows.toml").unlink()
    with pytest.raises(NotConfigured):
        hooks.install(home, place(project))
    assert list(project.iterdir()) == []


def test_options_that_contradict_each_other(project: Path) -> None:
    with pytest.raises(UsageProblem):
        hooks.place_of(str(project), user=True)
    with pytest.raises(UsageProblem):
        hooks.place_of(str(project / "nowhere"))
    assert hooks.place_of(str(project), local=True).path.endswith("/.claude/settings.local.json")


_ONE_INSTALL = "import sys; from levaithan.hot import paths; from levaithan.install import hooks\n"
_ONE_INSTALL += "hooks.install(paths.home_at(sys.argv[1]), hooks.place_of(sys.argv[2]))"


def test_many_installs_at_once_are_one(home: Home, project: Path) -> None:
    file = put(project)
    running = [
        subprocess.Popen([sys.executable, "-c", _ONE_INSTALL, home.root, str(project)], stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    assert [(one.wait(60), one.stderr.read() if one.stderr else b"") for one in running] == [(0, b"")] * 6
    written = json.loads(file.read_text())["hooks"]
    assert all(len(groups) == 1 for groups in written.values())
    hooks.uninstall(home, place(project))
    assert file.read_bytes() == FOREIGN.encode()


def test_two_homes_that_install_at_once_both_arrive(home: Home, project: Path, tmp_path: Path) -> None:
    others = [str(tmp_path / f"home{number}") for number in range(8)]
    for root in others:
        subprocess.run(["cp", "-R", home.root, root], check=True)
    file = put(project)
    running = [subprocess.Popen([sys.executable, "-c", _ONE_INSTALL, root, str(project)]) for root in others]
    assert [one.wait(60) for one in running] == [0] * len(others)
    assert len(json.loads(file.read_text())["hooks"]["PreToolUse"]) == len(others)


def test_an_edit_in_the_middle_of_an_install_is_not_lost(
    home: Home, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(project, '{"model": "x"}')
    real = settings_file._entry
    edits = iter(['{"model": "y"}'])

    def edited(*given: Any) -> registry.Install:
        for text in edits:
            file.write_text(text)
        return real(*given)

    monkeypatch.setattr(settings_file, "_entry", edited)
    hooks.install(home, place(project))
    assert json.loads(file.read_text())["model"] == "y"
    assert "PreToolUse" in json.loads(file.read_text())["hooks"]
    hooks.uninstall(home, place(project))
    assert file.read_text() == '{"model": "y"}'


def test_two_homes_in_one_project_know_of_each_other(home: Home, project: Path, tmp_path: Path) -> None:
    second = paths.home_at(str(tmp_path / "home2"))
    Path(home.root).rename(home.root + "-copy")
    for root in (home.root, second.root):
        subprocess.run(["cp", "-R", home.root + "-copy", root], check=True)
    hooks.install(home, place(project))
    _change, said = hooks.install(second, place(project))
    assert any("another LevAIthan" in words for words in said)
    assert len(json.loads(settings_of(project).read_text())["hooks"]["Stop"]) == 2
    assert {row["status"] for row in listing.rows(home, str(project)) if row["home"] == second.root} == {"warn"}
    hooks.uninstall(home, place(project))
    assert {one.home for one in hooks.handlers(place(project))} == {second.root}


def test_a_home_that_was_moved_still_knows_its_own(home: Home, project: Path, tmp_path: Path) -> None:
    file = put(project)
    hooks.install(home, place(project))
    Path(home.root).rename(tmp_path / "moved")
    moved = paths.home_at(str(tmp_path / "moved"))
    (row,) = listing.installed(moved)
    assert row["status"] == "fail"
    assert hooks.install(moved, place(project), dry_run=True)[0].changed
    hooks.install(moved, place(project))
    assert {one.home for one in hooks.handlers(place(project))} == {moved.root}
    Path(moved.root).rename(tmp_path / "again")
    again = paths.home_at(str(tmp_path / "again"))
    hooks.uninstall_all(again)
    assert file.read_bytes() == FOREIGN.encode()


def test_committed_settings_and_a_plugin_are_warned_of(home: Home, project: Path, person: Path) -> None:
    put(project, "{}")
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *who, *words], cwd=project, check=True)
    (person / ".claude").mkdir()
    (person / ".claude" / "settings.json").write_text('{"enabledPlugins": {"levaithan@somewhere": true}}')
    _change, said = hooks.install(home, place(project))
    assert any("is in git" in words for words in said)
    assert any("plugin is active too" in words for words in said)
    _change, said = hooks.install(home, place(project, local=True))
    assert not any("is in git" in words for words in said)


# --- what is registered --------------------------------------------------------------------------------------------


def test_the_registered_command_is_what_runs(home: Home, project: Path) -> None:
    client = Path(home.bin, "levaithan-hook")
    client.write_text('#!/bin/sh\ncat; echo "$CLAUDE_PROJECT_DIR $LEVAITHAN_HOME $*" >&2; exit 2\n')
    hooks.install(home, place(project))
    found = hooks.registered(home, "PreToolUse", str(project), os.environ | {"LEVAITHAN_HOME": "/elsewhere"})
    assert found.path == str(settings_of(project))
    done = hooks.run(found, b"{}")
    said = f"{project}  PreToolUse --home {home.root}\n".encode()
    assert (done.returncode, done.stdout, done.stderr) == (2, b"{}", said)


def test_what_is_not_registered_is_said(home: Home, project: Path) -> None:
    with pytest.raises(NotConfigured):
        hooks.registered(home, "PreToolUse", str(project))
    for event in ("WorktreeCreate", "NoSuchEvent"):
        with pytest.raises(UsageProblem):
            hooks.registered(home, event, str(project))


def test_a_command_that_hangs_is_killed_as_by_the_client(home: Home, project: Path) -> None:
    Path(home.bin, "levaithan-hook").write_text("#!/bin/sh\nexec sleep 30\n")
    hooks.install(home, place(project), timeout_s=0.5)
    assert hooks.run(hooks.registered(home, "Stop", str(project)), b"{}").returncode == -9


def test_the_list_says_what_would_not_work(home: Home, project: Path) -> None:
    hooks.install(home, place(project))
    assert {row["status"] for row in listing.rows(home, str(project))} == {"ok"}
    assert [row["status"] for row in listing.installed(home)] == ["ok"]
    file = settings_of(project)
    written = json.loads(file.read_text())
    del written["hooks"]["PermissionRequest"]
    del written["hooks"]["PreToolUse"][0]["hooks"][0]["onFailure"]
    written["hooks"]["UserPromptSubmit"][0]["matcher"] = "never"
    file.write_text(json.dumps(written))
    found = {row["event"]: row["problem"] for row in listing.rows(home, str(project)) if row["status"] == "fail"}
    assert "onFailure" in found["PreToolUse"]
    assert "matcher" in found["UserPromptSubmit"]
    (row,) = listing.installed(home)
    assert (row["status"], row["missing"]) == ("fail", ["PermissionRequest"])
    Path(home.bin, "levaithan-hook").unlink()
    assert {row["status"] for row in listing.rows(home, str(project))} == {"fail"}


def test_validate_names_foreign_trouble_with_its_line(home: Home, project: Path) -> None:
    hooks.install(home, place(project))
    local = settings_of(project, "settings.local.json")
    local.write_text('{\n "hooks": {"PreToolUse": [\n  {"hooks": [{"type": "command"}]}]}\n}')
    (row,) = listing.validate(home, str(project))
    assert (row["path"], row["line"], row["status"]) == (str(local), 3, "fail")
    assert "every hook of this file is off" in row["problem"]
    local.write_text('{"disableAllHooks": true}')
    (row,) = listing.validate(home, str(project))
    assert "disableAllHooks" in row["problem"]
    local.unlink()
    assert listing.validate(home, str(project)) == []


@pytest.mark.parametrize("local", [False, True])
def test_hooks_that_are_switched_off_are_said_by_whoever_is_asked(home: Home, project: Path, local: bool) -> None:
    """Registered as they should be, and none of them runs: the install, the list, status and validate have to tell."""
    file = settings_of(project, "settings.local.json" if local else "settings.json")
    file.parent.mkdir(exist_ok=True)
    file.write_text('{"disableAllHooks": true}')
    _, said = hooks.install(home, place(project))
    assert [words for words in said if str(file) in words and "disableAllHooks" in words and "Next: " in words]
    assert {row["status"] for row in listing.rows(home, str(project))} == {"fail"}
    assert all("disableAllHooks" in row["problem"] and str(file) in row["remedy"] for row in listing.rows(home))
    (row,) = listing.installed(home)
    assert (row["status"], row["events"]) == ("fail", len(listing.rows(home)))
    assert "disableAllHooks" in row["problem"]
    (found,) = listing.validate(home, None)
    assert (found["path"], found["status"]) == (str(file), "fail"), "asked from another folder, it is told all the same"
    file.write_text(file.read_text().replace("true", "false"))
    assert [row["status"] for row in listing.installed(home)] == ["ok"]
    assert listing.validate(home, None) == []


def test_managed_settings_that_switch_hooks_off_are_reported(
    home: Home, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    managed = tmp_path / "managed-settings.json"
    managed.write_text('{"allowManagedHooksOnly": true}')
    monkeypatch.setattr("levaithan.install.places.managed_places", lambda: [Place("managed", str(managed))])
    (row,) = listing.validate(home, str(project))
    assert "allowManagedHooksOnly" in row["problem"]
    assert "administrator" in row["remedy"]
    assert [one.scope for one in places.places_of(str(project))] == ["managed", "local", "project", "user"]
