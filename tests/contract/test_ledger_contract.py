"""What every ledger must do, whatever it is made of."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.support.ledger_records import START_US, at, cursor, delivery, event

from levaithan.stores import rollups
from levaithan.stores.roles import Rejected
from levaithan.stores.versions import HEAD

TABLES = {
    "events": "id, seq, event, session_id, tool_use_id, decision, at_us, duration_us",
    "sessions": "session_id, first_us, last_us, turn_us, started_us, source, ended_us, end_reason, model, project, "
    "client_version, canary, transcript_path",
    "agents": "session_id, agent_id, agent_type, first_us, last_us, started_us, stopped_us, transcript_path",
    "tool_calls": "tool_use_id, session_id, agent_id, tool_name, pre_us, pre_event, end_us, end_event, outcome, "
    "decision, duration_us",
    "decisions": "event_id, position, hook, decision, rule, reason, duration_us, error",
    "prompts": "event_id, session_id, prompt_id, text",
    "journal_notes": "journal, seq, kind, body",
    "checkpoints": "journal, seq, size, head, key_id, signature",
}


@pytest.fixture
def ledger(ledger_place: Any) -> Any:
    opened = ledger_place.open()
    opened.migrate()
    return opened


def content(ledger: Any) -> dict[str, list[Any]]:
    return {name: sorted(ledger.rows(f"SELECT {columns} FROM {name}"), key=repr) for name, columns in TABLES.items()}


def count(ledger: Any, table: str = "events") -> int:
    return ledger.rows(f"SELECT count(*) FROM {table}")[0][0]


def story() -> list[dict[str, Any]]:
    """A session with a subagent, a denied call, a failed one, a switch of model, and notes of the journal."""
    hooks = [
        {"hook": "halt_check", "ms": 0.1},
        {"hook": "policy_check", "ms": 0.4, "decision": "deny", "rule": "rm", "reason": "no"},
        {"hook": "observer", "ms": 2, "error": "ValueError: x"},
    ]
    sub = {"agent_id": "a1", "agent_type": "general-purpose", "tool_use_id": None, "tool_name": None}
    none = {"tool_use_id": None, "tool_name": None}
    return [
        event(1, "SessionStart", **none, payload={"source": "startup", "transcript_path": "/t", "model": "opus"}),
        event(2, "UserPromptSubmit", **none, prompt_id="p1", payload={"prompt": "do it"}),
        event(3, call="c1"),
        event(4, "PostToolUse", call="c1", payload={"duration_ms": 12}),
        event(5, call="c2", decision="deny", rule="rm", reason="no", hook="policy_check", hooks=hooks),
        event(6, "SubagentStart", **sub),
        event(7, call="c3", agent_id="a1", agent_type="general-purpose"),
        event(8, "PostToolUseFailure", call="c3", agent_id="a1", payload={"error": "boom", "duration_ms": 7.5}),
        event(9, "SubagentStop", **sub, payload={"agent_transcript_path": "/t/a1"}),
        event(10, "PostModelSwitch", **none, payload={"to_model": "sonnet"}),
        event(11, "PermissionDenied", call="c4", payload={"reason": "r"}),
        event(12, "SessionEnd", **none, payload={"reason": "other"}),
        {"seq": 14, "kind": "checkpoint", "at": at(13), "size": 13, "head": "h", "key_id": "k", "signature": "s"},
        {"seq": 15, "kind": "halt", "at": at(14), "by": "me"},
    ]


def test_a_batch_put_twice_is_there_once(ledger: Any) -> None:
    batch = [delivery(one) for one in story()]
    assert ledger.apply(batch, cursor(15)) == []
    once = content(ledger)
    assert ledger.apply(batch, cursor(15)) == []
    assert content(ledger) == once
    assert len(once["events"]) == 12
    assert len(once["checkpoints"]) == 1
    assert [row[2] for row in once["journal_notes"]] == ["halt"]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_arrival_does_not_matter(ledger_place: Any, ledger: Any, seed: int) -> None:
    ledger.apply([delivery(one) for one in story()], cursor(15))
    wanted = content(ledger)
    ledger.drop_all()
    assert count(ledger) == 0
    mixed = [delivery(one) for one in story()]
    random.Random(seed).shuffle(mixed)
    for start in range(0, len(mixed), 4):
        ledger.apply(mixed[start : start + 4], cursor(15))
    assert content(ledger) == wanted


def test_what_is_derived_from_the_events(ledger: Any) -> None:
    ledger.apply([delivery(one) for one in story()], cursor(15))
    calls = {row[0]: row for row in content(ledger)["tool_calls"]}
    assert calls["c1"][8:] == ("ok", "allow", 12_000)
    assert calls["c2"][8:] == ("denied", "deny", None)
    assert calls["c3"][2] == "a1"
    assert calls["c3"][8:] == ("failed", "allow", 7_500)
    assert calls["c4"][8:] == ("denied", None, None)
    (session,) = content(ledger)["sessions"]
    second = 1_000_000
    assert session[1:5] == (START_US + second, START_US + 12 * second, START_US + second, START_US + second)
    assert session[5:10] == ("startup", START_US + 12 * second, "other", "sonnet", "/p")
    (agent,) = content(ledger)["agents"]
    assert agent[1:3] == ("a1", "general-purpose")
    assert agent[5:] == (START_US + 6 * second, START_US + 9 * second, "/t/a1")
    assert ledger.rows("SELECT count(*) FROM events WHERE agent_id IS NULL")[0][0] == 8
    opinions = ledger.rows("SELECT position, hook, decision, error FROM decisions ORDER BY position")
    assert opinions == [
        (0, "policy_check", "deny", None), (2, "policy_check", "deny", None), (3, "observer", None, "ValueError: x"),
    ]  # fmt: skip
    assert ledger.rows("SELECT text FROM prompts") == [("do it",)]


def test_times_are_kept_to_the_microsecond_and_ranges_are_half_open(ledger: Any) -> None:
    ledger.apply([delivery(event(n)) for n in range(1, 4)], cursor(4))
    second = 1_000_000
    sql = "SELECT seq FROM events WHERE at_us >= :low AND at_us < :high ORDER BY at_us"
    found = ledger.rows(sql, {"low": START_US + second, "high": START_US + 3 * second})
    assert found == [(2,), (3,)]


def test_the_cursor_is_what_was_last_put(ledger_place: Any, ledger: Any) -> None:
    assert ledger.cursor() is None
    ledger.apply([delivery(event(1))], cursor(2))
    assert ledger.cursor() == cursor(2)
    ledger.apply([delivery(event(2))], cursor(3))
    ledger.close()
    assert ledger_place.open().cursor() == cursor(3)


def test_an_empty_batch_moves_the_cursor_only(ledger: Any) -> None:
    assert ledger.apply([], cursor(9)) == []
    assert ledger.cursor() == cursor(9)
    assert count(ledger) == 0


def test_a_batch_whose_cursor_cannot_be_kept_leaves_nothing(ledger: Any) -> None:
    ledger.apply([delivery(event(1))], cursor(2))
    broken: Any = cursor(3)
    object.__setattr__(broken, "segment", None)
    with pytest.raises(Exception, match=r"NULL|null"):
        ledger.apply([delivery(event(2))], broken)
    assert count(ledger) == 1
    assert ledger.cursor() == cursor(2)


def test_every_character_comes_back(ledger: Any) -> None:
    text = "ünïcødé 漢字 🐙 \u202e \x7f \ufffd \u2028 '\";--"
    record = event(1, payload={"tool_input": {"command": text}}, reason=text)
    ledger.apply([delivery(record)], cursor(2))
    ((reason, body),) = ledger.rows("SELECT reason, body FROM events")
    assert reason == text
    assert body.encode() == delivery(record).body


POISON = {
    "nul": (event(2, payload={"tool_input": {"command": "a\0b"}}), "NUL in payload.tool_input.command"),
    "nul in a key": (event(2, payload={"tool_input": {"a\0": 1}}), "NUL in a key of payload.tool_input"),
    "too long": (event(2, payload={"tool_response": "x" * (1 << 20) + "y"}), "over the limit"),
    "no id": (event(2, id=None), "not a record of format 1"),
    "no time": (event(2, at="yesterday"), "not a record of format 1"),
    "a list for a text": (event(2, reason=["x"]), "refused it"),
    "a huge number": (event(2, duration_ms=1e300), "refused it"),
}


@pytest.mark.parametrize("kind", POISON)
def test_poison_is_set_aside_and_the_others_arrive(ledger: Any, kind: str) -> None:
    record, why = POISON[kind]
    batch = [delivery(event(n)) for n in range(1, 20)]
    batch[1] = delivery(record)
    rejected = ledger.apply(batch, cursor(20))
    assert [one.delivery.seq for one in rejected] == [record["seq"]]
    assert isinstance(rejected[0], Rejected)
    assert why in rejected[0].reason
    assert count(ledger) == 18
    assert ledger.cursor() == cursor(20)
    (letter,) = ledger.dead_letters()
    assert (letter.seq, letter.offset, letter.attempts) == (3, 3000, 1)
    assert letter.tool_use_id == "toolu_0002"
    assert letter.reason == rejected[0].reason
    assert ledger.health().dead_letters == 1


def test_a_dead_letter_leaves_when_it_arrives_and_counts_its_attempts(ledger: Any) -> None:
    bad = delivery(event(1, payload={"tool_response": "a\0"}))
    ledger.apply([bad], cursor(2))
    assert len(ledger.put_again([bad])) == 1
    assert ledger.dead_letters()[0].attempts == 2
    good = delivery(event(1, payload={"tool_response": "a"}), sanitized=True)
    assert ledger.put_again([good]) == []
    assert ledger.dead_letters() == []
    assert ledger.rows("SELECT sanitized FROM events") == [(1,)]
    assert ledger.cursor() == cursor(2), "a second try does not move the cursor"


def test_what_could_not_be_read_is_a_dead_letter_too(ledger: Any) -> None:
    damaged = delivery({}, record=None, problem="damaged journal line: hash", seq=0, offset=77)
    ledger.apply([damaged, delivery(event(1))], cursor(2))
    (letter,) = ledger.dead_letters()
    assert (letter.offset, letter.id, letter.reason) == (77, None, "damaged journal line: hash")
    assert count(ledger) == 1


def test_a_field_of_exactly_the_limit_is_taken(ledger: Any) -> None:
    text = "é" * (1 << 19)
    record = event(1, payload={"tool_response": text})
    assert ledger.apply([delivery(record)], cursor(2)) == []
    assert ledger.rows("SELECT length(body) > 1000000 FROM events") == [(1,)]


def test_two_writers_lose_nothing(ledger_place: Any, ledger: Any) -> None:
    def write(first: int) -> int:
        mine = ledger_place.open()
        for start in range(first, first + 200, 20):
            mine.apply([delivery(event(n)) for n in range(start, start + 20)], cursor(start + 20))
        return 1

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(write, [1, 101])) == 2
    assert count(ledger) == 300
    assert count(ledger, "tool_calls") == 300


def test_it_is_all_there_after_reopening(ledger_place: Any, ledger: Any) -> None:
    ledger.apply([delivery(one) for one in story()], cursor(15))
    before = content(ledger)
    ledger.close()
    again = ledger_place.open()
    assert content(again) == before
    assert again.health().ok


def test_migrating_twice_is_migrating_once(ledger: Any) -> None:
    ledger.apply([delivery(event(1))], cursor(2))
    ledger.migrate()
    assert count(ledger) == 1
    assert ledger.current()


def test_an_older_schema_is_brought_up_with_all_its_rows(ledger_place: Any) -> None:
    ledger_place.make_older()
    ledger = ledger_place.open()
    assert not ledger.current()
    ledger.migrate()
    assert ledger.current()
    assert ledger.apply([delivery(one) for one in story()], cursor(15)) == []
    assert count(ledger) == 12


def test_a_reader_sees_a_whole_batch_or_nothing_of_it(ledger_place: Any, ledger: Any) -> None:
    reader, batch, seen = ledger_place.open(), [delivery(event(n)) for n in range(1, 2001)], set[int]()
    assert count(reader) == 0
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(ledger_place.open().apply, batch, cursor(2001))
        while not done.done():
            seen.add(count(reader))
    assert (done.result(), count(reader)) == ([], 2000)
    assert seen <= {0, 2000}, "while it is put"
    with reader.read() as link:
        assert link.exec_driver_sql("SELECT count(*) FROM events").scalar_one() == 2000
        with pytest.raises(Exception, match=r"readonly|read-only|attempt to write"):
            link.exec_driver_sql("DELETE FROM events")


def test_what_is_stored_is_held_against_the_journal(ledger: Any) -> None:
    opinions = [
        {"hook": "policy_check", "ms": 0.4, "decision": "deny", "rule": "r.1", "reason": "a \\N ünï 漢字 '\";--"},
        {"hook": "pace_check", "ms": 0.1},
        {"hook": "lease_reserve", "ms": 0.1, "error": "no book"},
    ]
    records = [
        event(1, decision="deny", rule="r.1", reason="r", hook="policy_check", hooks=opinions),
        event(2, "UserPromptSubmit", tool_name=None, tool_use_id=None, payload={"prompt": "do it"}),
        event(3, "Stop", tool_name=None, tool_use_id=None, duration_ms=None, project=None, machine=None),
        event(4, decision="ask"), event(5, canary="c"),
        {"seq": 7, "v": 1, "kind": "halt", "at": event(6)["at"], "by": "ada"},
        {"seq": 8, "v": 1, "kind": "checkpoint", "at": event(7)["at"], "size": 7, "head": "f" * 64, "time": "x"},
    ]  # fmt: skip
    batch = [delivery(one) for one in records]
    assert ledger.apply(batch, cursor(8)) == []
    wanted = {one.seq: ledger.expected(one) for one in batch}
    assert None not in wanted.values()
    assert len(set(wanted.values())) == 7
    assert ledger.fingerprints(1, 1 << 40) == wanted
    assert ledger.fingerprints(3, 4).keys() == {3, 4}
    assert ledger.fingerprints(8, 1 << 62).keys() == {8}
    assert ledger.fingerprints(0, 1) == ledger.fingerprints(9, 99) == ledger.fingerprints(5, 4) == {}
    opinions[0]["reason"] = "another"
    assert ledger.expected(delivery(records[0])) != wanted[2]
    assert ledger.expected(delivery(event(9, payload={"x": "a\0b"}))) is None, "a dead letter"


def test_health_says_how_it_is(ledger: Any) -> None:
    ledger.apply([delivery(event(n)) for n in range(1, 6)], cursor(6))
    told = ledger.health()
    assert told.ok, told.problems
    assert (told.rows, told.dead_letters, told.problems) == (5, 0, [])
    assert told.bytes > 0
    assert told.schema == HEAD
    assert told.server.startswith(("SQLite 3", "PostgreSQL "))
    assert told.latency_ms is None or 0 < told.latency_ms < 60_000
    assert (told.latency_ms is not None) is ledger.remote
    assert (told.excess, told.owner_excess) == ([], []), "these tests ask as daily work does, with no right besides"


def test_drop_all_leaves_an_empty_ledger(ledger: Any) -> None:
    ledger.apply([delivery(event(1, payload={"x": "\0"})), delivery(event(2))], cursor(3))
    ledger.drop_all()
    assert count(ledger) == 0
    assert ledger.cursor() is None
    assert ledger.dead_letters() == []


def test_sums_count_each_row_once_whatever_is_delivered_again(ledger: Any) -> None:
    records = [
        event(1, "SessionStart", tool_name=None, tool_use_id=None, payload={"model": "opus"}),
        event(2, duration_ms=0.05), event(3, decision="deny", duration_ms=700), event(4, call="c"),
        event(5, "PostToolUse", call="c", payload={"duration_ms": 3_000}), event(6, canary=True), event(4000),
    ]  # fmt: skip
    batch = [delivery(one) for one in records]
    ledger.apply(batch[:4], cursor(5))
    ledger.apply(batch[2:], cursor(8))
    ledger.apply(batch, cursor(8))
    once = ledger.rows(f"SELECT hour_us, {', '.join(rollups.NAMES)} FROM rollups")
    assert ledger.rows("SELECT sum(events), sum(denials), sum(calls), sum(tool_count), sum(tool_us) FROM rollups") == [
        (6, 1, 4, 1, 3_000_000)
    ]
    assert {row[0] % rollups.HOUR_US for row in once} == {0}
    assert len({row[0] for row in once}) == 2
    assert {row[6] for row in once} == {"opus"}
    cells = ", ".join(f"sum(hook_h{cell:02d})" for cell in range(13))
    (held,) = ledger.rows(f"SELECT {cells} FROM rollups")
    assert sum(held) == 6
    assert rollups.quantile(held, 0.5) == pytest.approx(512, rel=1)
    assert rollups.quantile(held, 1.0) == pytest.approx(524_288, rel=1)


def test_a_forged_duration_overflows_no_sum(ledger: Any) -> None:
    assert ledger.apply([delivery(event(n, duration_ms=9e15)) for n in range(1, 9)], cursor(9)) == []
    assert ledger.rows("SELECT sum(hook_us) FROM rollups") == [(8 * rollups.LONGEST_US,)]
