"""An ordinary path is in no place that a rule names; whatever is in one is not ordinary."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from levaithan.hot.deed import Deed
from levaithan.hot.event import Event
from levaithan.hot.hotconf import HotConf
from levaithan.hot.paths import Home
from levaithan.hot.protected import Protected
from levaithan.hot.where import PATH_DEEDS, PATH_PLACES, Where

NAMES = [
    "a.txt", "src/a.py", "src", "src/", "./a.txt", "new/deep/file", "build", "credentials.py", "Jenkinsfile",
    ".env", "prod.env", "id_rsa", ".git", ".git/hooks/pre-commit", "sub/.git/config", ".github/workflows/a.yml",
    "link", "link/", "link/x", "out", "out/passwd", "dangling", ".claude/settings.json", "lv", "lv/state",
    "lv/state/halts.json", "*", "a*", ".", "..", "../x", "src/../..", "", "/", "/etc/passwd", "/tmp/x", "/tmp",
    "/tmp/../etc/passwd", "~", "~/x", "~/.bashrc", "/dev/sda", "/home/other/x", "/usr/bin/x", "key.pem",
    "server.key", ".mcp.json", "a\x00b", "\x00/etc/passwd", "a//b", "ci.yml", "azure-pipelines.yml",
    "/dev/null", "/proc/self/cwd/a", "terraform.tfstate", "secrets/x", "etc/passwd", "a b", "café",
]  # fmt: skip


@pytest.fixture
def where(tmp_path: Path) -> Where:
    project = tmp_path / "user" / "project"
    (project / "src").mkdir(parents=True)
    (project / ".git" / "hooks").mkdir(parents=True)
    (project / "lv" / "state").mkdir(parents=True)
    (project / "link").symlink_to("/")
    (project / "out").symlink_to("/etc")
    (project / "dangling").symlink_to("/etc/nothing-here")
    user = str(tmp_path / "user")
    event = Event("", "PreToolUse", {"tool_name": "Bash", "tool_input": {}, "cwd": str(project)})
    event.project = str(project)
    return Where(Protected(Home(str(project / "lv")), HotConf({}), user), user, event)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("below", [False, True], ids=["relative", "absolute"])
def test_what_is_in_a_place_is_not_ordinary(where: Where, name: str, below: bool) -> None:
    target = os.path.join(where.around.cwd or "", name) if below else name
    for kind in sorted(PATH_DEEDS):
        for recursive in (False, True):
            deed = Deed(kind, target, where.around.cwd, target, recursive=recursive)
            rule = {"recursive": False, "subcommands": [], "to": []}
            met = [place for place in sorted(PATH_PLACES) if where.fits({**rule, "to": [place]}, deed)]
            if where.is_ordinary(deed):
                assert met == []


def test_nearly_all_paths_are(where: Where) -> None:
    wanted = [
        "a.txt",
        "src/a.py",
        "src",
        "src/",
        "./a.txt",
        "new/deep/file",
        "build",
        "credentials.py",
        "/tmp/x",
        "a b",
        "café",
    ]
    assert [name for name in NAMES if where.is_ordinary(Deed("write", name, where.around.cwd, name))] == [
        name for name in NAMES if name in [*wanted, "ci.yml", "etc/passwd", "secrets/x"]
    ]


def test_a_home_below_tmp_is_not_ordinary_nor_is_what_it_lies_in() -> None:
    """As in containers: a folder of /tmp is nobody's, unless somebody lives there."""
    user = "/tmp/levaithan-nobody/container/home"
    event = Event("", "PreToolUse", {"tool_name": "Bash", "tool_input": {}, "cwd": f"{user}/project"})
    event.project = f"{user}/project"
    where = Where(Protected(Home(f"{user}/project/lv"), HotConf({}), user), user, event)
    for target in (user, f"{user}/", "/tmp/levaithan-nobody/container", "/tmp/levaithan-nobody"):
        for cwd in (where.around.cwd, user, "/tmp", None):
            assert not where.is_ordinary(Deed("delete", target, cwd, target, recursive=True)), (target, cwd)
    assert where.is_ordinary(Deed("delete", "/tmp/levaithan-other", user, "/tmp/levaithan-other", recursive=True))
    rule = {"recursive": True, "subcommands": [], "to": ["home"]}
    assert where.fits(rule, Deed("delete", user, where.around.cwd, user, recursive=True))
