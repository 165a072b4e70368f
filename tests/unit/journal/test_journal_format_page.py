"""The page that promises the format: its two checkers are run as they stand there, on good and altered journals."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from levaithan.hot import segments
from levaithan.journal import prune, read, report

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "journal-format.md"


def programs(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def commands(tmp_path: Path) -> dict[str, list[str]]:
    (shell,) = [one for one in programs("sh") if one.startswith("#!/bin/sh")]
    (python,) = programs("python")
    (tmp_path / "check.sh").write_text(shell)
    (tmp_path / "check.py").write_text(python)
    return {"sh": ["sh", str(tmp_path / "check.sh")], "python": [sys.executable, "-I", str(tmp_path / "check.py")]}


@pytest.mark.parametrize("which", ["sh", "python"])
def test_the_checkers_of_the_page_work(made, tmp_path, which) -> None:
    command = [*commands(tmp_path)[which], str(made.path)]

    def run() -> tuple[int, str]:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    made.fill(20, every=5, segment_bytes=2000)
    journal = made.writer()
    odd = rb'{"v":1,"kind":"event","id":"aa","x":"a \\ \" \u00e9 %s $HOME `id` \t  two  ","y":"\u00fc'.replace(
        b"\\u00fc", "ü".encode()
    )
    journal.append([("aa", odd + b'"}')])
    code, said = run()
    assert code == 0, said
    assert made.lines()[-1][:64].decode() in said
    lines = made.lines()
    for altered in (
        [*lines[:4], lines[4].replace(b"xx", b"yy"), *lines[5:]],
        [*lines[:6], *lines[7:]],
        [*lines[:6], lines[7], lines[6], *lines[8:]],
        [*lines[:6], lines[6], *lines[6:]],
        lines[:9],
        [*lines[:-1], lines[-1][:-9]],
    ):
        made.write_one(altered)
        code, said = run()
        assert code == 1 and said.strip() and "Traceback" not in said, said
    made.write_one(lines)
    assert run()[0] == 0


@pytest.mark.parametrize("which", ["sh", "python"])
def test_the_checkers_begin_where_a_prune_left_off(made, tmp_path, which) -> None:
    made.fill(40, every=5, segment_bytes=2000)
    assert prune.prune(str(made.path), 6000, {"ledger": read.tail(str(made.path))}).removed
    command = [*commands(tmp_path)[which], str(made.path)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_the_shell_checker_has_about_twenty_lines_and_the_page_names_every_kind() -> None:
    (shell,) = [one for one in programs("sh") if one.startswith("#!/bin/sh")]
    assert len(shell.splitlines()) <= 22
    text = PAGE.read_text()
    for kind in (*report.KINDS, "event", "segment", "checkpoint", "repair", "gap", "prune", "halt", "note"):
        assert f"`{kind}`" in text
    assert segments.FORMAT in text
