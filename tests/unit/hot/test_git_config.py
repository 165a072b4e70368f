"""What a repository's own configuration has git start: seen before a session that may only read runs git there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from levaithan.hot import git_config

SHOW = ["git", "status"]
HARMLESS = [
    "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n",
    '[remote "filter"]\n\turl = https://host.test/external.git\n\tfetch = +refs/heads/*:refs/remotes/filter/*\n',
    '[branch "fix-pager"]\n\tremote = origin\n\tmerge = refs/heads/fix-pager\n',
    "# [core] fsmonitor = x\n; fsmonitor = x\n[user]\n\tname = filter\n",
    '[diff]\n\talgorithm = histogram\n[log]\n\tdate = iso\n[branch "a]b"]\n\tremote = o\n',
]
STARTING = [
    "[core]\n\tfsmonitor = ./x\n", "[CORE] FSMonitor=./x\n", "[core]fsmonitor\n", "\ufeff[core]\nfsmonitor = ./x\n",
    '[diff "a"]\n\ttextconv = ./x\n', "[diff.a]\ntextconv=./x\n", "[diff]\n\texternal = ./x\n",
    '[diff "a\\"]"]\n\tcommand = ./x\n', '[filter "a"]\n\tclean = ./x\n', "[include]\n\tpath = /tmp/x\n",
    '[includeIf "gitdir:/"]\n\tpath = /tmp/x\n', "[log]\n\tshowSignature = true\n", "[gpg]\n\tprogram = ./x\n",
    "[core]\n\thooksPath = x\n", "[core]\n\tpager = ./x\n", "[pager]\n\tlog = ./x\n", '[gpg "ssh"]\nprogram = ./x\n',
    '[remote "o"]\n\tpromisor = true\n', '[remote "o"]\n\tuploadpack = ./x\n', "[a\n[core]\nfsmonitor = x\n",
    '[branch "a"] remote = o\n[core]\n\tbare = false\n\tfsmonitor = ./x # y\n',
    "[user] name = a \\\n[core]\nfsmonitor=x",
]  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "r/.git/objects").mkdir(parents=True)
    (tmp_path / "r/.git/refs").mkdir()
    (tmp_path / "r/.git/HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "r/sub").mkdir()
    return tmp_path / "r"


@pytest.mark.parametrize("config", HARMLESS)
def test_an_ordinary_repository_is_looked_at(repository: Path, config: str) -> None:
    (repository / ".git/config").write_text(config)
    assert git_config.starts_programs(SHOW, str(repository / "sub")) == ""


@pytest.mark.parametrize("config", STARTING)
def test_one_that_has_git_start_something_is_not(repository: Path, config: str) -> None:
    (repository / ".git/config").write_text(config)
    assert "starts a program" in git_config.starts_programs(SHOW, str(repository / "sub"))


def test_a_hook_of_the_index_counts(repository: Path) -> None:
    (repository / ".git/hooks").mkdir()
    (repository / ".git/hooks/post-commit").write_text("")
    assert git_config.starts_programs(SHOW, str(repository)) == ""
    (repository / ".git/hooks/post-index-change").symlink_to("/nowhere")
    assert "post-index-change" in git_config.starts_programs(SHOW, str(repository))


def test_a_folder_that_looks_like_a_bare_repository_counts_as_one(tmp_path: Path) -> None:
    for name in ("objects", "refs"):
        (tmp_path / name).mkdir()
    (tmp_path / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "config").write_text("[core]\nfsmonitor = ./x\n")
    assert "fsmonitor" in git_config.starts_programs(SHOW, str(tmp_path))


def test_a_file_that_points_to_the_repository_is_followed(repository: Path, tmp_path: Path) -> None:
    own = repository / ".git/worktrees/w"
    own.mkdir(parents=True)
    (own / "commondir").write_text("../..\n")
    (tmp_path / "w").mkdir()
    (tmp_path / "w/.git").write_text(f"gitdir: {own}\n")
    assert git_config.starts_programs(SHOW, str(tmp_path / "w")) == ""
    (own / "config.worktree").write_text("[core]\nfsmonitor = ./x\n")
    assert "fsmonitor" in git_config.starts_programs(SHOW, str(tmp_path / "w"))
    (own / "config.worktree").unlink()
    (repository / ".git/config").write_text("[diff]\nexternal = ./x\n")
    assert "external" in git_config.starts_programs(SHOW, str(tmp_path / "w"))


@pytest.mark.parametrize("folder", [None, "", "\x00", "/tmp/\x00/x"])
def test_an_unknown_folder_is_no_reason_to_let_it_pass(folder: str | None) -> None:
    assert git_config.starts_programs(SHOW, folder)


@pytest.mark.parametrize("kind", ["long", "fifo", "folder"])
def test_what_cannot_be_read_counts_as_something(repository: Path, kind: str) -> None:
    config = repository / ".git/config"
    if kind == "long":
        config.write_text("#" * (300 << 10))
    elif kind == "fifo":
        os.mkfifo(config)
    else:
        config.mkdir()
    assert "cannot be read" in git_config.starts_programs(SHOW, str(repository))


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_submodules_are_told_by_the_index_that_git_writes(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@host.test", "-c", "protocol.file.allow=always"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True, timeout=60)

    git("init", "-q", ".")
    (tmp_path / "a").write_text("a")
    git("add", "a")
    assert git_config.starts_programs(SHOW, str(tmp_path)) == ""
    git("init", "-q", "inner")
    git("-C", "inner", "commit", "-q", "--allow-empty", "-m", "a")
    git("add", "inner")
    assert "submodules" in git_config.starts_programs(SHOW, str(tmp_path))
    assert git_config.starts_programs([*SHOW, "--ignore-submodules"], str(tmp_path)) == ""
    assert git_config.starts_programs(["git", "log"], str(tmp_path)) == ""
