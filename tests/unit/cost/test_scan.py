"""The record of calls: each once over all files and scans, whatever the order, and nothing that was spent is lost."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.cost.conftest import RECORDED, line, write

from levaithan.cost import calls, crosscheck, scan
from levaithan.hot import paths, prices

Scanned = Callable[[], list[calls.Known]]


def tokens(known: list[calls.Known]) -> dict[str, int]:
    return {one.call.message_id: one.call.tokens for one in known}


def test_every_recorded_session_agrees_with_the_client(recorded: Path, home: paths.Home, scanned: Scanned) -> None:
    """To the cent, by model, and token for token; the model without a price is flagged, and no other row."""
    assert len(scanned()) == 28
    with calls.opened(home) as known:
        rows = crosscheck.check(known, prices.built_in())
        assert known.skipped() == 0
    assert len(rows) == 11
    for row in rows:
        assert row["same_tokens"] is True, row
        if row["model"] == "claude-unknown-9":
            assert (row["status"], row["usd"]) == (crosscheck.UNKNOWN, None)
        else:
            assert row["status"] == crosscheck.OK and abs(row["drift_usd"]) < 1e-6, row
    assert [row["model"] for row in crosscheck.too_far(rows)] == ["claude-unknown-9"]


def test_a_copied_call_counts_once_and_stays_with_whose_it_was(projects: Path, scanned: Scanned) -> None:
    old = write(projects / "-p" / "s1.jsonl", line("m1"), line("m2"))
    os.utime(old, (1, 1))
    write(projects / "-p" / "s2.jsonl", line("m1", session="s2"), line("m3", session="s2"))
    assert {one.call.message_id: one.call.session_id for one in scanned()} == {"m1": "s1", "m2": "s1", "m3": "s2"}


@given(order=st.permutations(range(4)), scans=st.integers(1, 3), data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_files_and_scans_changes_no_sum(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], scans: int, data: st.DataObject
) -> None:
    """Copies in four files, of some only the first half of a message: the fullest counts."""
    folder = tmp_path_factory.mktemp("order")
    home = paths.home_at(str(folder / "home"))
    files = [
        [line("a", output_tokens=5), line("b")], [line("a", output_tokens=9), line("c")], [line("a", output_tokens=1)],
        [line("b"), line("b", output_tokens=3), line("c")],
    ]  # fmt: skip
    sources = scan.Sources()
    for number in order:
        path = write(folder / f"{number}.jsonl", *files[number])
        sources.transcripts[f"s{number}"] = str(path)
    for _ in range(scans):
        some = data.draw(st.lists(st.sampled_from(sorted(sources.transcripts)), unique=True))
        with calls.opened(home) as known:
            scan.scan(known, scan.Sources(transcripts={name: sources.transcripts[name] for name in some}))
    with calls.opened(home) as known:
        scan.scan(known, sources)
        assert tokens(list(known.all())) == {"a": 1009, "b": 1003, "c": 1000}


def test_a_scan_reads_on_where_the_last_one_ended(
    projects: Path, home: paths.Home, scanned: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(projects / "-p" / "s1.jsonl", line("m1"))
    scanned()
    parsed: list[bytes] = []
    loads = scan.loads
    monkeypatch.setattr(scan, "loads", lambda data: (parsed.append(data), loads(data))[1])
    scanned()
    assert parsed == []
    write(path, line("m2"), mode="a")
    assert set(tokens(scanned())) == {"m1", "m2"}
    assert len(parsed) == 1


def test_what_was_spent_stays_spent(projects: Path, scanned: Scanned) -> None:
    """The client deletes old transcripts, and a file may shrink: the calls were made all the same."""
    path = write(projects / "-p" / "s1.jsonl", line("m1"), line("m2"))
    before = tokens(scanned())
    write(path, line("m1"))
    assert tokens(scanned()) == before
    path.unlink()
    assert tokens(scanned()) == before


def test_the_calls_of_subagents_belong_to_their_session(recorded: Path, scanned: Scanned) -> None:
    agents = {one.call.agent_id: one.call.session_id[:8] for one in scanned() if one.call.agent_id}
    assert agents == {"a84843bfafc8673d0": "00a644e8", "a3675d8bb2ef0dd25": "19ee23f1"}


def test_the_project_is_the_ledger_s_or_else_the_transcript_s(home: paths.Home, tmp_path: Path) -> None:
    class Ledger:
        def rows(self, sql: str, values: object = None) -> list[tuple[Any, ...]]:
            if "agents" in sql:
                return [("a1", "Explore")]
            return [
                ("s1", str(one), "/ledger/says"),
                ("s9", "relative.jsonl", None),
                ("s8", None, None),
                ("s7", "", ""),
            ]

    one = write(tmp_path / "x" / "s1.jsonl", line("m1"), line("m2", agent="a1"))
    write(tmp_path / "projects" / "-p" / "s2.jsonl", {"cwd": 7}, line("m3", session="s2"))
    sources = scan.Sources()
    scan.of_ledger(Ledger(), sources)
    scan.of_folder(str(tmp_path / "projects"), sources)
    assert set(sources.transcripts) == {"s1", "s2"}
    with calls.opened(home) as known:
        scan.scan(known, sources)
        found = {one.call.message_id: (one.project, one.agent_type) for one in known.all()}
        assert [one.call.message_id for one in known.all(project="/ledger/says", agent="a1")] == ["m2"]
    assert found == {"m1": ("/ledger/says", None), "m2": ("/ledger/says", "Explore"), "m3": ("/p/one", None)}


@pytest.mark.parametrize("harm", ["garbage", "cut", "no table", "another version", "folder of it is new"])
def test_a_damaged_file_is_set_aside_and_built_anew(
    recorded: Path, home: paths.Home, scanned: Scanned, harm: str
) -> None:
    whole = tokens(scanned())
    file = Path(home.state, calls.FILE)
    if harm == "garbage":
        data = bytearray(file.read_bytes())
        data[4096:] = random.Random(7).randbytes(len(data) - 4096)
        file.write_bytes(data)
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    elif harm == "folder of it is new":
        shutil.rmtree(file.parent)
    else:
        sql = "DROP TABLE calls; PRAGMA user_version = 7" if harm == "no table" else "PRAGMA user_version = 99"
        connection = sqlite3.connect(file)
        connection.executescript(sql)
        connection.close()
    with calls.opened(home) as known:
        assert ("made anew" in known.found) is (harm != "folder of it is new")
    assert tokens(scanned()) == whole
    assert (file.parent / "calls.sqlite3.damaged").exists() is (harm != "folder of it is new")


def test_a_file_that_cannot_be_made_is_said(home: paths.Home) -> None:
    Path(home.state, "cost").touch()
    with pytest.raises(calls.CostFileProblem) as raised, calls.opened(home):
        pass
    assert "calls.sqlite3" in raised.value.message and raised.value.fix


def test_what_is_no_damage_sets_nothing_aside(home: paths.Home) -> None:
    with calls.opened(home):
        pass
    file = Path(home.state, calls.FILE)
    whole = file.read_bytes()
    Path(f"{file}-journal").mkdir()  # SQLite cannot open it
    for _ in range(2):
        with pytest.raises(calls.CostFileProblem), calls.opened(home) as known:
            known.name([("s", "p")], [])
    assert file.read_bytes() == whole
    assert not Path(f"{file}.damaged").exists()


def test_what_was_set_aside_before_is_kept(home: paths.Home) -> None:
    file = Path(home.state, calls.FILE)
    file.parent.mkdir()
    for number in range(3):
        file.write_bytes(b"damaged %d" % number * 1000)
        with calls.opened(home) as known:
            assert "is kept as" in known.found
    kept = sorted(one.read_bytes()[:9] for one in file.parent.glob("*.damaged*"))
    assert kept == [b"damaged 0", b"damaged 1", b"damaged 2"]


def test_a_file_that_another_makes_meanwhile_is_not_taken_for_a_damaged_one(
    home: paths.Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[threading.Thread] = []
    found: list[str] = []

    def other() -> None:
        with calls.opened(home) as known:
            found.append(known.found)

    class Overtaken(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if "sqlite_master" in sql and not others:
                others.append(threading.Thread(target=other))
                others[0].start()
                others[0].join(0.5)
            return super().execute(sql, *values)

    plain = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: plain(path, timeout, factory=Overtaken))
    with calls.opened(home) as known:
        found.append(known.found)
    others[0].join(30)
    assert found == ["", ""]
    assert not (Path(home.state) / f"{calls.FILE}.damaged").exists()


@pytest.mark.faults
def test_scans_at_once_and_killed_ones_lose_and_double_nothing(
    projects: Path, home: paths.Home, scanned: Scanned
) -> None:
    for number in range(40):
        write(projects / "-p" / f"s{number}.jsonl", *(line(f"m{number}-{at}") for at in range(50)), line("shared"))
    code = (
        "import sys\nfrom levaithan.cost import calls, scan\nfrom levaithan.hot import paths\n"
        "sources = scan.Sources()\nscan.of_folder(sys.argv[2], sources)\n"
        "with calls.opened(paths.home_at(sys.argv[1])) as known:\n"
        "    print('begun', flush=True)\n    scan.scan(known, sources)\n"
    )
    command = [sys.executable, "-c", code, home.root, str(projects)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    for number, one in enumerate(running):
        assert one.stdout is not None and one.stdout.readline() == b"begun\n"
        if number == 0:
            one.kill()
    assert [one.wait(60) for one in running[1:]] == [0, 0]
    for one in running:
        one.communicate()
    assert tokens(scanned()) == {f"m{number}-{at}": 1000 for number in range(40) for at in range(50)} | {"shared": 1000}


@pytest.mark.parametrize("bad", ["\ud800", "x" * 255 + "\udfff"])
def test_names_that_no_database_takes_are_kept_readable(projects: Path, scanned: Scanned, bad: str) -> None:
    write(projects / "-p" / "s1.jsonl", line(bad, model=bad), line("m2", at=bad))
    found = scanned()
    assert len(found) == 2 and found[0].at_us is None


@pytest.mark.parametrize(
    ("time", "expected"),
    [("1970-01-02T00:00:00Z", None), ("2026-11-23T14:32:46.534Z", 1795444366534000),
     ("2026-11-23T15:32:46.534+01:00", 1795444366534000),
     ("2026-11-23T14:32:46", None), ("", None), ("soon", None), ("0001-01-01T00:00:00+23:00", None),
     ("9999-12-31T23:59:59-23:00", None)],
)  # fmt: skip
def test_moments(time: str, expected: int | None) -> None:
    assert calls.at_us(time) == expected


def test_the_client_s_sum_counts_what_was_before_it(projects: Path, home: paths.Home, scanned: Scanned) -> None:
    """A session that goes on after it wrote its sum is compared up to there, also when the scan came in between."""

    def told(usd: float, tokens_in: int) -> dict[str, Any]:
        usage = {"claude-opus-5-5": {"inputTokens": tokens_in, "costUSD": usd}}
        return {"type": "cost-state", "totalCostUSD": usd, "modelUsage": usage}

    path = write(projects / "-p" / "s1.jsonl", line("m1"), told(0.004, 1000))
    statuses = []
    for more in ([], [line("m2", at="2026-11-23T13:00:00Z")], [told(0.008, 2000)], [{"timestamp": "2026-11-24"}]):
        write(path, *more, mode="a")
        scanned()
        with calls.opened(home) as known:
            [row] = crosscheck.check(known, prices.built_in())
        statuses.append((row["status"], row["client_usd"]))
    assert statuses == [("ok", 0.004), ("ok", 0.004), ("ok", 0.008), ("ok", 0.008)]


@pytest.mark.parametrize(
    ("usage", "status", "drift"),
    [
        ({"inputTokens": 1000, "costUSD": 0.005}, crosscheck.PRICE, -0.001),
        ({"inputTokens": 2000, "costUSD": 0.008}, crosscheck.TOKENS, -0.004),
        ({"inputTokens": 1000, "costUSD": "free"}, crosscheck.PRICE, 0.004),
        ({}, crosscheck.TOKENS, 0.004),
        (None, crosscheck.TOKENS, 0.004),
    ],
    ids=str,
)
def test_a_drift_has_its_reason(
    projects: Path, home: paths.Home, scanned: Scanned, usage: Any, status: str, drift: float
) -> None:
    told = {"type": "cost-state", "modelUsage": {"claude-opus-5-5": usage, "claude-haiku-4-5": {"costUSD": 0.25}}}
    write(projects / "-p" / "s1.jsonl", line("m1"), told)
    scanned()
    with calls.opened(home) as known:
        absent, row = crosscheck.check(known, prices.built_in())
    assert (row["status"], row["drift_usd"]) == (status, pytest.approx(drift))
    assert (absent["status"], absent["drift_percent"]) == (crosscheck.ABSENT, -100.0)
    assert crosscheck.too_far([absent, row]) == [absent, row]
    assert crosscheck.drift_rows([absent, row])[0]["usd"] == pytest.approx(drift - 0.25)
    assert json.dumps([absent, row])


def test_the_recorded_folder_is_as_it_was_recorded() -> None:
    assert sum(1 for _ in RECORDED.rglob("*.jsonl")) == 13
