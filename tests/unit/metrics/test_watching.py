"""The metrics of a home over restarts, damage, pruning and a journal that breaks."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import homes
from tests.support.ledger_records import JournalFiles, at
from tests.unit.metrics.conftest import T0, denied, record

from levaithan.metrics import kept_state
from levaithan.metrics.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.paths import Home

SAID = SimpleNamespace(
    ledger_url=None, search=False, graph=False, memory=False, ledger_max_field_bytes=1 << 20, journal_verify_hours=0
)


@pytest.fixture
def bare(tmp_path: Path) -> Home:
    """A home with nothing but folders: these tests are of the journal."""
    from levaithan.hot.paths import ensure_private, home_at

    made = home_at(str(tmp_path / "bare"))
    for folder in (made.root, made.state, made.logs, made.run):
        ensure_private(folder)
    return made


@pytest.fixture
def files(bare: Home) -> JournalFiles:
    return JournalFiles(bare.journal)


def watching(home: Home) -> Watching:
    return Watching(home, SAID, threads=False)


def read(one: Watching) -> Watching:
    """`one` at the journal's end."""
    while not one.step(4096).end:
        pass
    return one


def mixed(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Records of every kind, in an order of chance."""
    chance = random.Random(seed)
    for n in range(count):
        session = f"s{chance.randrange(5)}"
        over: dict[str, Any] = {"session_id": session, "project": f"/p{chance.randrange(3)}"}
        kind = chance.randrange(9)
        if kind == 0:
            yield denied(chance.choice(["fs.delete-root", "self.edit", "x.y", "pace.calls"]), n, **over)
        elif kind == 1:
            yield record("UserPromptSubmit", n, tool_use_id=None, **over)
        elif kind == 2:
            yield record(chance.choice(["Stop", "StopFailure", "SessionEnd"]), n, tool_use_id=None, **over)
        elif kind == 3:
            yield {"kind": "incident", "at": at(n), "incident": f"i{chance.randrange(9)}",
                   "action": chance.choice(["open", "ack", "resolve", "reopen"]), "severity": "P2"}  # fmt: skip
        elif kind == 4:
            yield {"kind": "action", "at": at(n), "phase": "verified", "action": f"act{chance.randrange(40)}"}
        elif kind == 5:
            yield {"kind": "gap", "at": at(n), "dropped": 2, "first_at": at(n), "last_at": at(n), "reason": "full"}
        elif kind == 6:
            yield record("PreToolUse", n, call=f"c{chance.randrange(50)}", agent_id="a1", **over)
        else:
            yield record("PostToolUse", n, call=f"c{chance.randrange(50)}", payload={"duration_ms": 100}, **over)


def told(one: Watching, now_s: float = T0 + 2000) -> dict[Any, float]:
    """Every series that the journal alone makes."""
    one.fold.settle(now_s)
    return {(name, pairs): value for name, pairs, value in one.tally.series() if not name.startswith("levaithan_build")}


@pytest.mark.parametrize("seed", range(6))
def test_a_restart_in_the_middle_equals_one_pass(bare: Home, files: JournalFiles, seed: int) -> None:
    chance = random.Random(seed)
    whole = watching(bare)
    cut = watching(bare)
    for number, one in enumerate(mixed(400, seed)):
        files.add(one)
        if chance.random() < 0.05:
            read(cut)
            if chance.random() < 0.3:
                cut.fold.settle(T0 + number)
            cut.save()
            cut.stop()
            before, cut = cut, watching(bare)
            assert cut.found == ""
            assert json.dumps(cut.fold.dump()) == json.dumps(before.fold.dump())
    assert told(read(cut)) == pytest.approx(told(read(whole)))
    assert whole.tally.value("levaithan_journal_records_total") == 401  # the segment's header is a record


def test_what_was_folded_after_the_last_save_is_folded_again_once(bare: Home, files: JournalFiles) -> None:
    one = watching(bare)
    files.events(10)
    read(one).save()
    files.events(10, first=11)
    read(one)  # and killed before it could save
    again = read(watching(bare))
    assert again.tally.value("levaithan_journal_records_total") == 21


def test_a_caller_keeps_its_own_beside_the_cursor(bare: Home, files: JournalFiles) -> None:
    files.events(3)
    read(watching(bare)).save({"engine": {"open": ["i1"]}})
    one = watching(bare)
    assert one.more == {"engine": {"open": ["i1"]}}
    one.save()
    assert watching(bare).more == {"engine": {"open": ["i1"]}}


@pytest.mark.parametrize(
    "damage",
    [b"", b"\x00" * 100, b"{", b"[]", b'{"version":1}', b'{"version":99}', b'{"version":1,"tally":3}', None, "flip"],
)
def test_a_damaged_state_is_set_aside_and_made_anew(
    bare: Home, files: JournalFiles, damage: bytes | str | None
) -> None:
    files.events(20)
    read(watching(bare)).save({"engine": 1})
    path = kept_state.path_of(bare)
    if damage is None:  # cut in the middle
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif isinstance(damage, str):
        told_now = json.loads(path.read_bytes())
        told_now["fold"]["sessions"] = [1, 2]
        path.write_text(json.dumps(told_now))
    else:
        path.write_bytes(damage)
    one = watching(bare)
    assert "made anew from the journal" in one.found
    assert one.more == {}
    assert path.with_name("metrics.json.damaged").exists()
    assert read(one).tally.value("levaithan_journal_records_total") == 21


def test_who_only_reads_neither_keeps_nor_owns_it(bare: Home, files: JournalFiles) -> None:
    files.events(20)
    read(watching(bare)).save({"engine": 1})
    before = kept_state.path_of(bare).read_bytes()
    files.events(3)
    one = read(Watching(bare, SAID, threads=False, read_only=True))
    assert one.tally.value("levaithan_journal_records_total") == 24
    assert not one.own()
    with pytest.raises(PermissionError, match="only read"):
        one.save()
    assert kept_state.path_of(bare).read_bytes() == before


def test_another_journal_in_its_place_is_counted_from_its_start(bare: Home, files: JournalFiles) -> None:
    files.events(20)
    one = read(watching(bare))
    for name in os.listdir(bare.journal):
        os.unlink(f"{bare.journal}/{name}")
    other = JournalFiles(bare.journal, "k" * 32)
    other.events(5)
    begun = one.since_s
    batch = one.step()
    assert batch.anew
    assert one.tally.value("levaithan_journal_records_total") == 6
    assert one.since_s >= begun


def test_who_follows_beside_sees_each_record_at_its_time_before_it_counts(bare: Home, files: JournalFiles) -> None:
    files.events(30)
    one, seen, told = watching(bare), [], []

    def each(record: dict[str, Any], at_s: float) -> None:
        seen.append((record["seq"], at_s, one.tally.value("levaithan_journal_records_total")))

    while not one.step(4096, each=each, anew=lambda: told.append(len(seen))).end:
        pass
    assert seen == [(n + 1, T0 + n, n) for n in range(31)]
    for name in os.listdir(bare.journal):
        os.unlink(f"{bare.journal}/{name}")
    JournalFiles(bare.journal, "k" * 32).events(2)
    one.step(each=each, anew=lambda: told.append(len(seen)))
    assert told == [31]  # before the first record of the other journal
    assert seen[31] == (1, T0, 0)


def test_segments_that_were_pruned_after_they_were_read_change_nothing(bare: Home, files: JournalFiles) -> None:
    files.events(10)
    one = read(watching(bare))
    first = files.path
    files.segment()
    files.events(5, first=11)
    os.unlink(first)
    assert not one.step().anew
    assert one.tally.value("levaithan_journal_records_total") == 17


def test_segments_that_were_pruned_before_they_were_read_are_no_reason_to_begin_anew(
    bare: Home, files: JournalFiles
) -> None:
    files.events(10)
    read(watching(bare)).save()
    gone = []
    for number in range(3):
        gone.append(files.path)
        files.segment()
        files.events(5, first=11 + 5 * number)
    for path in gone:
        os.unlink(path)
    one = watching(bare)
    batch = one.step()
    assert not batch.anew
    assert batch.damages == []
    assert one.tally.value("levaithan_journal_records_total") == 11 + 6  # two segments were lost to it
    one.begin_anew()
    assert read(one).tally.value("levaithan_journal_records_total") == 6


@pytest.mark.parametrize("how", ["cut", "gap", "gone", "pruned"])
def test_where_records_are_missing_the_whole_chain_is_proven(
    bare: Home, files: JournalFiles, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from levaithan.metrics import verification

    asked: list[str] = []
    monkeypatch.setattr(verification.Verification, "ask", lambda _self: asked.append(how))
    files.events(10)
    one = read(watching(bare))
    assert asked == [], "an ordinary journal is not proven at each look"
    if how == "cut":
        with open(files.path, "rb+") as file:
            file.truncate(os.path.getsize(files.path) // 2)
    elif how == "gap":
        files.seq += 5
        files.segment()
    else:
        gone = files.path
        files.segment()
        os.unlink(gone)
        if how == "gone":
            gone = files.path
            files.events(5, first=11)
            files.segment()
            os.unlink(gone)
    one.step()
    assert asked, "whether a prune accounts for it, the whole chain says"


@pytest.mark.parametrize("hours", [0, 24])
def test_a_proof_that_is_asked_for_is_made_at_once_and_one_that_fails_again(
    bare: Home, files: JournalFiles, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from levaithan.metrics import verification

    files.events(5)
    one = verification.Verification(bare, hours)
    try:
        homes.until(lambda: not hours or verification.last(bare) is not None, 20)
        files.seq += 3
        files.segment()
        one.ask()
        homes.until(lambda: (verification.last(bare) or {"ok": True})["ok"] is False, 20)
        proofs: list[int] = []

        def fails(_home: Home) -> None:
            proofs.append(1)
            raise OSError(5, "no")

        monkeypatch.setattr(verification, "slowly", fails)
        for wanted in (1, 2):
            if wanted == 1:
                one.ask()
            else:
                one._look.soon()
            homes.until(lambda wanted=wanted: len(proofs) == wanted, 20)
    finally:
        one.stop()


def test_a_broken_chain_shows_at_once_and_until_a_verification_finds_none(bare: Home, files: JournalFiles) -> None:
    from levaithan.metrics import verification

    files.events(5)
    one = read(watching(bare))
    one.collect(time.time())
    assert one.tally.value("levaithan_journal_chain_ok") == 1
    files.events(1, first=6)
    data = Path(files.path).read_bytes()
    Path(files.path).write_bytes(data.replace(b'"echo 6"', b'"echo 7"'))
    read(one)
    one.collect(time.time())
    assert one.tally.value("levaithan_journal_chain_ok") == 0
    assert one.tally.value("levaithan_security_events_total", ("chain_broken",)) == 1
    one.save()
    again = watching(bare)
    again.collect(time.time())
    assert again.tally.value("levaithan_journal_chain_ok") == 0  # a restart forgets it not
    assert not verification.slowly(bare).ok
    again.collect(time.time())
    assert again.tally.value("levaithan_journal_chain_ok") == 0
    Path(files.path).write_bytes(data)
    assert verification.slowly(bare).ok
    again.collect(time.time())
    assert again.tally.value("levaithan_journal_chain_ok") == 1
    assert again.tally.value("levaithan_journal_verified_timestamp_seconds") == pytest.approx(time.time(), abs=60)


def test_the_replay_of_an_outage_is_said(bare: Home, files: JournalFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.events(200)
    one = watching(bare)
    one.step(4096)
    now = T0 + 7200
    assert one.catching_up(now)
    one.collect(now)
    assert one.tally.value("levaithan_metrics_catching_up") == 1
    assert one.tally.value("levaithan_sessions_active", ("/p",)) == 1  # as of then, not as of now
    read(one)
    one.collect(now)
    assert not one.catching_up(now)
    assert one.tally.value("levaithan_metrics_catching_up") == 1  # until a scrape has seen it beside the counters
    assert one.tally.value("levaithan_sessions_active", ("/p",)) == 0
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    one.collect(now + 61)
    assert one.tally.value("levaithan_metrics_catching_up") == 0


def test_a_clock_that_is_set_is_noticed(bare: Home, files: JournalFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.add(record("UserPromptSubmit", 0, tool_use_id=None))
    one = read(watching(bare))
    now = time.monotonic()
    for passed, wall in ((0, T0 + 1), (5, T0 + 6), (10, T0 + 6 + 3 * 86_400), (15, T0 + 16)):
        monkeypatch.setattr(time, "monotonic", lambda at=now + passed: at)
        one.collect(wall)
        assert one.tally.value("levaithan_tasks_total", ("/p", "abandoned")) == 0
    monkeypatch.setattr(time, "monotonic", lambda: now + 86_500)
    one.collect(T0 + 86_501)
    assert one.tally.value("levaithan_tasks_total", ("/p", "abandoned")) == 1


def test_only_one_process_may_keep_the_state(bare: Home, files: JournalFiles) -> None:
    one, other = watching(bare), watching(bare)
    assert one.own()
    assert one.own()
    assert not other.own()
    one.stop()
    assert other.own()
    other.stop()


def test_lines_that_are_odd_are_counted_and_pass(bare: Home, files: JournalFiles) -> None:
    files.add(b'{"seq":2,"v":1,"kind":"event","raw":"\\udc80"}')
    files.add(b'{"seq":3,"not json')
    files.add({"kind": "event"})
    files.events(1, first=5)
    one = read(watching(bare))
    assert one.tally.value("levaithan_hook_events_total", ("PreToolUse", "allow")) == 1
    assert one.tally.value("levaithan_journal_odd_records_total") == 3
    size = sum(os.path.getsize(f"{bare.journal}/{name}") for name in os.listdir(bare.journal))
    assert one.tally.value("levaithan_journal_bytes_total") == size


def test_memory_is_bounded_whatever_the_journal_holds(bare: Home) -> None:
    """A journal of sessions, calls, refusals and incidents that never end makes a state of a few MiB at most."""
    from levaithan.metrics.records import Fold
    from levaithan.metrics.tally import Tally

    fold = Fold(Tally())
    for n in range(60_000):
        over: dict[str, Any] = {"session_id": f"{n:0190d}", "call": f"{n:0190d}", "agent_id": f"{n:0190d}"}
        fold.take(denied(f"x{n}.y{n}", n / 100, **over))
        if n % 3 == 0:
            fold.take({"kind": "incident", "at": at(n / 100), "incident": f"{n:0190d}", "action": "open"})
    dumped = json.dumps(fold.dump())
    assert len(dumped) < 16 << 20
    assert len(fold.dump()["sessions"]["known"]) <= 10_000
    assert len(fold.dump()["calls"]["asked"]) <= 20_000
    assert len(fold.dump()["lifecycle"]["known"]) <= 10_000
