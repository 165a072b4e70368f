"""The benchmark measures what it says: processes are really run, failures are not taken for speed, sums are right."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from tests.bench import all_stores, figures, hooks, launching, load, report, run, throughput
from tests.support import payloads

PYTHON = sys.executable


def test_a_process_is_timed_and_reads_its_input() -> None:
    reads = [PYTHON, "-I", "-S", "-c", "import sys; sys.exit(sys.stdin.read() != 'given')"]
    assert 0 < launching.timed(reads, b"given", {}) < 10
    with pytest.raises(RuntimeError, match="exited with 1 instead of 0"):
        launching.timed(reads, b"other", {})


def test_processes_at_once_are_timed_each_by_itself() -> None:
    naps = [PYTHON, "-I", "-S", "-c", "import sys, time; time.sleep(float(sys.stdin.read()))"]
    took = sorted(launching.at_once(naps, [b"0.9", b"0", b"0"], {}))
    assert len(took) == 3
    assert took[0] < 0.8 < 0.9 <= took[2]


def test_a_round_measures_every_subject_once_and_begins_with_another() -> None:
    order: list[str] = []

    def subject(name: str) -> float:
        order.append(name)
        return float(len(order))

    took = launching.interleaved({name: lambda name=name: subject(name) for name in "ab"}, 2)  # type: ignore[misc]
    assert order == ["a", "b", "b", "a"]
    assert took == {"a": [1.0, 4.0], "b": [2.0, 3.0]}


@pytest.mark.parametrize(("part", "expected"), [(0.5, 5), (0.95, 10), (1, 10), (0.01, 1)])
def test_percentiles(part: float, expected: float) -> None:
    assert launching.percentile(list(range(10, 0, -1)), part) == expected


def test_the_load_repeats_a_session_under_new_names() -> None:
    session = load.templates(str(payloads.DATA / "sessions" / "basic.jsonl"))
    frames = load.Frames(session, 2_000)
    data = frames.take(700) + frames.take(10_000)
    assert not frames.left
    assert frames.take(5) == b""
    assert data.count(b"LVH1") == 2_000
    assert data.count(b"event=SessionStart\n") == 2_000 // (2 + 40 * (len(session) - 2)) + 1
    assert b"@SESSION@" not in data
    assert b"@CALL@" not in data
    spoken = load.Frames(load.templates(str(payloads.DATA / "sessions" / "basic.jsonl"), texts=True), 2_000).take(2_000)
    assert b"@TEXT@" not in spoken
    said = re.findall(rb'"prompt":"([^"]*)"', spoken)
    assert len(said) == len(set(said)) == data.count(b"event=UserPromptSubmit\n")
    assert {len(text.split()) for text in said} == {load.WORDS_A_TEXT}
    ids = {line for line in data.split(b"\n") if b"id=" in line and len(line.rpartition(b"id=")[2]) == 32}
    assert len(ids) == 2_000


def test_the_family_of_a_process_is_weighed() -> None:
    import os

    assert os.getpid() in throughput.family(os.getpid())
    assert 5 < throughput.resident(os.getpid()) < 5_000


def test_growth_is_between_warm_and_end() -> None:
    memory = throughput.Memory(1)
    memory.seen = [10, 90, 100, 100, 100, 100, 110, 110]
    assert memory.growth() == 10


def test_the_table_says_what_was_missed() -> None:
    rows = [report.Row("fast", "1x", "0.5x", True, "N=1"), report.Row("slow", "1x", "2x", False, "N=1 | why")]
    text = report.table(rows)
    assert "NO" in text
    assert text.count("yes") == 1
    page = report.page(
        [figures.Figure("hooks", figures.Run("2026-01-01", ("a machine",), "small"), row) for row in rows]
    )
    assert "| slow | 1x | 2x | NO | 1 | N=1 \\| why |" in page
    assert "1. 2026-01-01: a machine; small" in page


def test_a_run_of_some_parts_leaves_the_others_figures(tmp_path: Path) -> None:
    def row(what: str, got: str) -> report.Row:
        return report.Row(what, "1x", got, True, "N=1")

    file, order = tmp_path / "figures.json", ("a", "b")
    before, after = (figures.Run(f"2026-01-0{day}", ("one machine",), "all") for day in (1, 2))
    first = figures.merged([], {"b": [row("third", "1")], "a": [row("first", "1"), row("second", "1")]}, before, order)
    figures.write(first, file)
    assert figures.read(file) == first
    assert [one.row.what for one in first] == ["first", "second", "third"]
    whole = figures.merged(figures.read(file), {"a": [row("second", "2")]}, after, order)
    assert [(one.row.what, one.row.got, one.run) for one in whole] == [("second", "2", after), ("third", "1", before)]
    some = figures.merged(figures.read(file), {"a": [row("second", "2")]}, after, order, whole=False)
    assert [(one.row.what, one.run.day[-1]) for one in some] == [("first", "1"), ("second", "2"), ("third", "1")]


def test_the_page_is_made_of_the_figures() -> None:
    assert report.PAGE.read_text(encoding="utf-8") == report.page(figures.read())


def test_a_lag_that_grows_slowly_is_not_bounded() -> None:
    rate = all_stores.RATE
    steady = [{"ledger": rate * 3 * (number % 5 == 0), "memory": rate} for number in range(60)]
    growing = [{**look, "memory": rate * number // 6} for number, look in enumerate(steady)]
    assert all_stores.bounded(steady)
    assert not all_stores.bounded(growing), "10 s behind at the end, and never less than before"
    assert not all_stores.bounded([*steady[:50], {"ledger": rate * 21, "memory": 0}, *steady[51:]])


def test_a_part_that_cannot_be_measured_costs_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    row = report.Row("fast", "1x", "0.5x", True, "N=1")

    def broken(_folder: str, _sizes: run.Sizes) -> list[report.Row]:
        raise AttributeError("rotten")

    parts: dict[str, run.Part] = {"first": ("one", broken), "second": ("another", lambda _folder, _sizes: [row])}
    assert run._measure(("first", "second"), run.QUICK, "", parts) == ({"second": [row]}, ["first"])
    assert "AttributeError: rotten" in capsys.readouterr().err


@pytest.mark.slow
def test_hooks_are_measured(tmp_path: Path) -> None:
    rows = hooks.measure(str(tmp_path), rounds=2, bursts=1)
    assert [row.limit.split()[0] for row in rows] == ["0.15x", "1.25x", "3.5x", "below"]


@pytest.mark.slow
def test_throughput_is_measured_and_counted(tmp_path: Path) -> None:
    rows = throughput.measure(str(tmp_path), 2_000)
    assert "N=2,000" in rows[0].how
