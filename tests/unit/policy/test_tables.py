"""Tables that stand in two places so that a process starts faster say the same in both."""

from __future__ import annotations

import importlib

from levaithan.hot import (
    deeds,
    deeds_database,
    domains,
    programs,
    run_rules,
    shell_far,
    shell_starts,
    shell_wrap,
    wrappers,
)
from levaithan.hot.shell_options import INTERPRETERS


def test_the_table_of_modules_is_what_they_know() -> None:
    for module, names in domains.PROGRAMS.items():
        assert set(names.split()) == set(importlib.import_module(f"levaithan.hot.deeds_{module}").OF), module


def test_other_names_of_programs() -> None:
    assert set(programs.ALIASES) == run_rules.OTHER_NAMES


def test_programs_that_hand_commands_on() -> None:
    assert wrappers.ELSEWHERE == shell_far.PROGRAMS
    assert set(wrappers.STARTS) == shell_starts.PROGRAMS
    assert shell_wrap.SHELLS <= wrappers._RUNS_FILES


def test_languages_that_run_files() -> None:
    assert set(wrappers._LANGUAGES) <= {*INTERPRETERS, "ipython", "pypy"} | set(INTERPRETERS)
    assert all(
        wrappers.may_run_file(name, name) for name in ("python3", "python3.12", "node", "perl", "ruby", "bash", "make")
    )
    assert not any(wrappers.may_run_file(name, name.rpartition("/")[2]) for name in ("ls", "git", "/bin/ls", "cat"))


def test_clients_of_databases() -> None:
    known = deeds_database.SQL_CLIENTS | deeds_database.MONGO_CLIENTS | deeds_database.REDIS_CLIENTS
    assert known == deeds._DATA
