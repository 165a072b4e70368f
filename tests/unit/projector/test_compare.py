"""The journal held against a store: what is missing, altered or too much there is found and numbered."""

from __future__ import annotations

import dataclasses
import gc
import sqlite3
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.ledger_records import JournalFiles, event

from levaithan.hot.paths import Home, home_at
from levaithan.projector import compare as comparing
from levaithan.projector import scratch
from levaithan.projector.compare import compare
from levaithan.projector.loop import catch_up
from levaithan.projector.replay import replay
from levaithan.stores import registry

SETTINGS = SimpleNamespace(ledger_url=None, ledger_max_field_bytes=1 << 20, search=True, fsync="always", graph=False,
                           memory=False)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = home_at(str(tmp_path))
    files = JournalFiles(made.journal)
    files.events(30)
    files.add(event(31, payload={"tool_input": {"command": "a\0b"}}))
    files.segment()
    files.events(10, first=32)
    catch_up(made, SETTINGS, stores=("ledger", "search"))
    return made


def goes_on(home: Home) -> JournalFiles:
    """The journal of `home`, to which records are added."""
    files = JournalFiles.__new__(JournalFiles)
    last = sorted(Path(home.journal).glob("*.log"))[-1]
    files.__dict__ |= {"directory": home.journal, "journal": "j" * 32, "seq": 43, "path": str(last)}
    files.hash = last.read_bytes().splitlines()[-1][:64].decode()
    return files


def add(home: Home, *records: dict[str, Any]) -> None:
    files = goes_on(home)
    for one in records:
        files.add(one)


def compared(home: Home, name: str = "ledger") -> Any:
    store = registry.open_store(name, SETTINGS, home)
    try:
        return compare(home, store)
    finally:
        store.close()


def change(home: Home, name: str, sql: str) -> None:
    with sqlite3.connect(f"{home.state}/{name}.sqlite3") as link:
        assert link.execute(sql).rowcount


def test_what_was_projected_is_equal(home: Home) -> None:
    done = compared(home)
    assert done.equal
    assert (done.journal, done.stored, done.waiting, done.behind) == (42, 42, 1, 0)
    search = compared(home, "search")
    assert search.equal
    assert (search.journal, search.stored) == (41, 41)


def test_what_is_missing_altered_or_too_much_is_named(home: Home) -> None:
    change(home, "ledger", "DELETE FROM events WHERE seq = 5")
    change(home, "ledger", "UPDATE events SET body = replace(body, 'echo 6', 'echo 7') WHERE seq = 7")
    change(
        home,
        "ledger",
        "INSERT INTO events (id, seq, journal, hash, at_us, event, body) VALUES ('x', 99, 'j', '', 0, 'E', '{}')",
    )
    done = compared(home)
    assert not done.equal
    assert (done.missing, done.altered, done.extra) == ([5], [7], [99])
    assert done.stored == done.journal - 2


FORGERIES = {
    "UPDATE events SET decision = 'allow' WHERE seq = 50": 50,
    "UPDATE events SET rule = 'another' WHERE seq = 50": 50,
    "UPDATE events SET at_us = at_us + 1 WHERE seq = 7": 7,
    "UPDATE events SET machine = NULL WHERE seq = 7": 7,
    "UPDATE decisions SET reason = 'forged' WHERE hook = 'policy_check' AND position = 1": 50,
    "DELETE FROM decisions WHERE position = 1": 50,
    "INSERT INTO decisions (event_id, position, at_us) SELECT id, 5, at_us FROM events WHERE seq = 7": 7,
    "UPDATE prompts SET text = 'forged'": 51,
    "DELETE FROM prompts": 51,
    "UPDATE journal_notes SET kind = 'note' WHERE kind = 'halt'": 52,
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_column_shows_though_the_body_is_whole(home: Home, forgery: str) -> None:
    files = goes_on(home)
    files.events(6, first=60)
    opinions = [
        {"hook": "policy_check", "ms": 0.4, "decision": "deny", "rule": "fs.delete-root", "reason": "all is gone"},
        {"hook": "pace_check", "ms": 0.1},
        {"hook": "lease_reserve", "ms": 0.1, "error": "no book"},
    ]
    files.add(event(70, decision="deny", rule="fs.delete-root", reason="r", hook="policy_check", hooks=opinions))
    files.add(event(71, "UserPromptSubmit", tool_name=None, tool_use_id=None, payload={"prompt": "do \\N it"}))
    files.add({"v": 1, "kind": "halt", "at": event(72)["at"], "by": "ada"})
    catch_up(home, SETTINGS, stores=("ledger",))
    assert compared(home).equal
    change(home, "ledger", forgery)
    assert compared(home).altered == [FORGERIES[forgery]]


def test_a_store_that_is_behind_is_not_wrong(home: Home) -> None:
    goes_on(home).events(3, first=42)
    done = compared(home)
    assert done.equal
    assert done.behind == 3


class Moving:
    """A store whose cursor was read before `behind` more records arrived."""

    def __init__(self, store: Any, behind: int) -> None:
        self.store, self.behind = store, behind

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def cursor(self) -> Any:
        found = self.store.cursor()
        return dataclasses.replace(found, seq=found.seq - self.behind)


@pytest.mark.parametrize("behind", [1, 20])
@pytest.mark.parametrize("batch_bytes", [1, 2000, 1 << 20])
def test_what_arrives_while_it_compares_is_no_difference(
    home: Home, monkeypatch: pytest.MonkeyPatch, behind: int, batch_bytes: int
) -> None:
    monkeypatch.setattr(comparing, "_BATCH_BYTES", batch_bytes)
    store = registry.open_store("ledger", SETTINGS, home)
    done = compare(home, Moving(store, behind))
    assert (done.equal, done.behind, done.extra) == (True, behind, [])
    assert done.stored == done.journal
    change(home, "ledger", "UPDATE events SET body = '{}' WHERE seq = 43")
    change(home, "ledger", "UPDATE events SET seq = 99 WHERE seq = 42")
    found = compare(home, Moving(store, behind))
    assert (found.altered, found.extra) == ([43], [99])
    store.close()


def test_what_was_delivered_made_harmless_is_equal(home: Home) -> None:
    assert replay(home, SETTINGS, "ledger", sanitize=True).delivered
    done = compared(home)
    assert done.equal
    assert (done.journal, done.stored, done.waiting) == (43, 43, 0)


def test_an_empty_store_has_nothing_to_compare(tmp_path: Path) -> None:
    done = compared(home_at(str(tmp_path)))
    assert done.equal
    assert (done.journal, done.stored, done.behind) == (0, 0, 0)


FOLDS = {
    "UPDATE tool_calls SET outcome = 'ok' WHERE tool_use_id = (SELECT min(tool_use_id) FROM tool_calls)": "tool_calls",
    "DELETE FROM tool_calls WHERE tool_use_id = (SELECT max(tool_use_id) FROM tool_calls)": "tool_calls",
    "UPDATE sessions SET last_us = last_us - 1": "sessions s",
    "UPDATE sessions SET machine = 'other'": "sessions s",
    "DELETE FROM agents": "agents s",
    "UPDATE agents SET agent_type = 'forged'": "agents s",
}


@pytest.mark.parametrize("forgery", FOLDS)
def test_a_forged_session_agent_or_call_is_named(home: Home, forgery: str) -> None:
    add(home, event(70, "SubagentStart", agent_id="a-1", agent_type="helper", payload={"agent_id": "a-1"}))
    catch_up(home, SETTINGS, stores=("ledger",))
    done = compared(home)
    assert (done.equal, done.folds_differ_count) == (True, 0)
    assert done.folds > 3
    change(home, "ledger", forgery)
    done = compared(home)
    assert not done.equal
    assert (done.missing_count, done.altered_count, done.extra_count) == (0, 0, 0)
    assert done.folds_differ_count >= 1
    assert all(one.startswith(FOLDS[forgery]) for one in done.folds_differ), done.folds_differ


def test_a_session_that_goes_on_meanwhile_is_not_wrong(home: Home) -> None:
    store = registry.open_store("ledger", SETTINGS, home)
    done = compare(home, Moving(store, 5))
    assert (done.equal, done.folds_differ_count) == (True, 0), "its rows are of records that come later, too"
    change(home, "ledger", "UPDATE sessions SET machine = 'other'")
    assert compare(home, store).folds_differ == ["sessions s1"]
    store.close()


def test_what_waits_as_a_dead_letter_is_no_part_of_a_fold(home: Home) -> None:
    add(home, event(80, tool_use_id="toolu_dead", payload={"tool_input": {"command": "a\0b"}}))
    catch_up(home, SETTINGS, stores=("ledger",))
    assert compared(home).equal
    assert replay(home, SETTINGS, "ledger", sanitize=True).delivered
    assert compared(home).equal
    change(home, "ledger", "DELETE FROM tool_calls WHERE tool_use_id = 'toolu_dead'")
    assert compared(home).folds_differ == ["tool_calls toolu_dead"]


# -- the file that it is made in --


def small(monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    """A disk with room for `pages` of each scratch file."""
    make = scratch.Scratch.__init__

    def made(self: scratch.Scratch) -> None:
        make(self)
        self.file.execute(f"PRAGMA max_page_count = {pages}")

    monkeypatch.setattr(scratch.Scratch, "__init__", made)


@pytest.mark.parametrize("pages", [1, 14])
def test_a_temporary_disk_that_is_full_is_named_with_what_to_do(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pages: int
) -> None:
    add(home, *(event(number, session_id=f"{number:0200}") for number in range(43, 143)))
    catch_up(home, SETTINGS, stores=("ledger",))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    small(monkeypatch, pages)
    with pytest.raises(scratch.ScratchError, match=f"in {tmp_path}: database or disk is full") as full:
        compared(home)
    assert full.value.fix == f"free space in {tmp_path}, or set TMPDIR to another folder with room"
    assert full.value.exit_code == 1
    del full
    gc.collect()
    assert not list(tmp_path.glob("levaithan-folds-*")), "and nothing is left of it"


def test_a_temporary_folder_that_is_missing_is_named(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", f"{tmp_path}/gone")
    with pytest.raises(scratch.ScratchError, match=r"/gone: .*No such file or directory"):
        compared(home)

    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(scratch.ScratchError, match="the folder for temporary files: No usable"):
        compared(home)


def test_a_disk_that_fills_while_an_answer_is_read_is_named_too_and_a_mistake_of_ours_is_not() -> None:
    sql = "SELECT abs(column1) FROM (VALUES (1), (-9223372036854775808))"  # its second row cannot be made
    with scratch.Scratch() as one:
        for read in (
            list,
            lambda found: found.fetchall(),
            lambda found: found.fetchmany(5),
            lambda found: found.fetchone(),
        ):
            with pytest.raises(scratch.ScratchError, match="overflow"):
                read(one.file.execute(sql))
        with pytest.raises(sqlite3.ProgrammingError):
            one.file.execute("SELECT ?", ())
