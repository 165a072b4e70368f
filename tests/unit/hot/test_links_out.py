"""Links of a project, and `..` out of it, lead to where the kernel finds them: real folders, real links."""

from __future__ import annotations

from pathlib import Path

import pytest

from levaithan.hot import policy_pack
from levaithan.hot.event import Event
from levaithan.hot.hotconf import HotConf
from levaithan.hot.paths import home_at
from levaithan.hot.policy import Policy

PACKS = Path(__file__).resolve().parents[3] / ".claude" / "context" / "policies"


@pytest.fixture(scope="module")
def rules():
    return policy_pack.compile_packs([(str(path), path.read_bytes()) for path in sorted(PACKS.glob("*.toml"))])


@pytest.fixture
def ask(rules, tmp_path):
    """(tool, path) -> the verdict, in a project of a home in a folder for temporary files."""
    user, project, outside = tmp_path / "user", tmp_path / "user" / "demo", tmp_path / "outside"
    for folder in (project / "src", user / ".ssh", outside, user / "Documents"):
        folder.mkdir(parents=True)
    (outside / "a.txt").write_text("x")
    (project / "src" / "m.py").write_text("x")
    for name, target in {
        "passwd": "/etc/passwd", "keys": "../.ssh", "notes.md": "../.ssh/id_rsa", "rc": "../.bashrc", "etc": "/etc",
        "far": str(outside), "far.txt": str(outside / "a.txt"), "nothing": "/nonexistent/place/x", "up": "..",
        "nothing-near": "src/new.py", "hop": "far.txt", "job": "/etc/cron.d/new", "hook": ".git/hooks/pre-commit",
        "settings": ".claude/settings.json", "near": "src", "near.py": "src/m.py", "python": "/usr/bin/python3",
    }.items():  # fmt: skip
        (project / name).symlink_to(target)
    judge = Policy(home_at(str(tmp_path / "lv")), HotConf(), rules, [], str(user))

    def verdict(tool: str, path: str, *, below: bool = True) -> str:
        given = {"file_path": str(project / path) if below else path, "content": "x"}
        event = Event("", "PreToolUse", {"tool_name": tool, "tool_input": given, "cwd": str(project)})
        event.project = str(project)
        said = judge.judge(event)
        return said.verdict if said else "allow"

    return verdict


@pytest.mark.parametrize("below", [True, False], ids=["absolute", "relative"])
@pytest.mark.parametrize(
    "path",
    [
        "passwd", "keys/authorized_keys", "notes.md", "rc", "etc/x.conf", "far/b.txt", "far.txt", "nothing", "up/a.txt",
        "hop", "job", "hook", "settings", "src/../far/b.txt", "near/../keys/x",
    ],
)  # fmt: skip
def test_a_write_through_a_link_that_leads_out_is_held(ask, path, below):
    assert ask("Write", path, below=below) in ("deny", "ask")
    assert ask("Edit", path, below=below) in ("deny", "ask")


@pytest.mark.parametrize(
    "path", ["passwd", "keys/id_rsa", "notes.md", "far/a.txt", "far.txt", "hop", "up/x", "etc/shadow"]
)
def test_so_is_a_read(ask, path):
    assert ask("Read", path) in ("deny", "ask")


@pytest.mark.parametrize("path", ["near/m.py", "near.py", "nothing-near", "src/m.py", "new.txt"])
def test_a_link_that_stays_inside_is_a_name_like_another(ask, path):
    assert ask("Write", path) == "allow"
    assert ask("Read", path) == "allow"


def test_a_library_behind_a_link_may_be_read(ask):
    assert ask("Read", "python") == "allow"
    assert ask("Write", "python") in ("deny", "ask")


@pytest.mark.parametrize("path", ["../Documents/a.txt", "../../outside/a.txt", "src/../../b.txt"])
def test_climbing_out_of_the_project_is_held_even_into_a_temporary_folder(ask, path):
    assert ask("Write", path, below=False) in ("deny", "ask")
    assert ask("Read", path, below=False) in ("deny", "ask")


def test_a_temporary_folder_named_as_such_is_free(ask, tmp_path):
    assert ask("Write", str(tmp_path / "outside" / "b.txt"), below=False) == "allow"
    assert ask("Read", str(tmp_path / "outside" / "a.txt"), below=False) == "allow"


def test_a_home_in_a_temporary_folder_is_a_home(ask, tmp_path):
    assert ask("Write", str(tmp_path / "user" / "Documents" / "a.txt"), below=False) == "ask"
    assert ask("Read", str(tmp_path / "user" / "Documents" / "a.txt"), below=False) == "ask"
