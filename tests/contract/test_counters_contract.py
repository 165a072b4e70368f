"""What every store of counters must do as a follower of the journal: the live stream, its readers, the minutes."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.ledger_records import JOURNAL, cursor, delivery, event

MINUTE_US = 60_000_000


@pytest.fixture
def stream(counters_place: Any) -> Any:
    opened = counters_place.open()
    opened.migrate()
    yield opened
    opened.drop_all()


def put(stream: Any, numbers: Any, after: int | None = None, **over: Any) -> None:
    numbers = list(numbers)
    batch = [delivery(event(n, **over)) for n in numbers]
    assert stream.apply(batch, cursor(after if after is not None else max(numbers) + 1)) == []


def seqs(events: list[Any]) -> list[int]:
    return [one.seq for one in events]


def test_an_event_is_in_the_stream_once_however_often_it_is_put(stream: Any) -> None:
    put(stream, range(1, 6))
    put(stream, range(1, 6))
    put(stream, range(3, 8))
    assert seqs(stream.latest()) == [8, 7, 6, 5, 4, 3, 2]
    assert stream.cursor() == cursor(8)


def test_an_entry_says_what_happened(stream: Any) -> None:
    record = event(1, decision="deny", rule="git.push", reason="no " * 400, agent_id="a1", duration_ms=1.25)
    stream.apply([delivery(record)], cursor(2))
    (one,) = stream.latest()
    assert (one.id, one.at, one.machine, one.journal, one.seq) == (record["id"], record["at"], "m1", JOURNAL, 2)
    assert (one.event, one.session, one.agent, one.tool) == ("PreToolUse", "s1", "a1", "Bash")
    assert (one.decision, one.rule, one.duration) == ("deny", "git.push", "1.25")
    assert one.reason.startswith("no no ")
    assert len(one.reason) == 500


def test_any_order_of_batches_ends_the_same(stream: Any) -> None:
    batches = [list(range(n, n + 5)) for n in range(1, 101, 5)]
    mixed = batches + batches[::3]
    random.Random(7).shuffle(mixed)
    for one in mixed:
        put(stream, one, after=200)
    found = stream.latest(1000)
    assert sorted(seqs(found)) == list(range(2, 102))
    assert len({one.id for one in found}) == 100
    assert sorted(stream.fingerprints(1, 500)) == list(range(2, 102))


def test_an_empty_batch_moves_the_cursor_and_other_records_leave_no_entry(stream: Any) -> None:
    assert stream.cursor() is None
    assert stream.apply([], cursor(4)) == []
    note = {"seq": 6, "v": 1, "kind": "note", "id": "n1", "at": event(5)["at"]}
    assert stream.apply([delivery(note)], cursor(6)) == []
    assert stream.cursor() == cursor(6)
    assert stream.latest() == []


def test_another_object_goes_on_where_the_first_one_was(counters_place: Any, stream: Any) -> None:
    put(stream, range(1, 4))
    stream.close()
    again = counters_place.open()
    assert again.cursor() == cursor(4)
    put(again, range(4, 6))
    assert stream.cursor() == cursor(6)
    assert seqs(stream.latest()) == [6, 5, 4, 3, 2]


def test_a_range_has_both_its_ends(stream: Any) -> None:
    put(stream, range(1, 8))
    assert stream.fingerprints(3, 5).keys() == {3, 4, 5}
    assert stream.fingerprints(4, 4).keys() == {4}
    assert stream.fingerprints(8, 1 << 62).keys() == {8}
    assert stream.fingerprints(0, 1) == stream.fingerprints(9, 12) == stream.fingerprints(5, 4) == {}


def test_hostile_text_is_taken_and_made_harmless(stream: Any) -> None:
    texts = ["a\0b", "\ud800 lone", "\U0001f600 ünï", "*3\r\n$3\r\nDEL\r\n", "]] return redis.call('FLUSHALL') --"]
    batch = [delivery(event(n, reason=text, tool_name=text)) for n, text in enumerate(texts, 1)]
    assert stream.apply(batch, cursor(6)) == []
    found = list(reversed(stream.latest()))
    assert [one.reason for one in found] == ["a\0b", "\ufffd lone", *texts[2:]]
    there = stream.fingerprints(1, 9)
    assert there == {one.seq: stream.expected(one) for one in batch}


def test_a_mebibyte_of_payload_is_no_hindrance(stream: Any) -> None:
    put(stream, [1], payload={"tool_input": {"command": "x" * (1 << 20)}}, reason="y" * (1 << 20))
    (one,) = stream.latest()
    assert len(one.reason) == 500


def test_what_is_no_record_waits_and_arrives_when_it_is_put_again(stream: Any) -> None:
    broken = delivery(event(2), record=None, problem="damaged journal line")
    batch = [delivery(event(1)), broken, delivery(event(3, at="yesterday")), delivery(event(4))]
    rejected = stream.apply(batch, cursor(5))
    assert [one.delivery.seq for one in rejected] == [3, 4]
    stream.apply(batch, cursor(5))
    letters = stream.dead_letters()
    assert [(one.seq, one.attempts) for one in letters] == [(3, 2), (4, 2)]
    assert letters[0].reason == "damaged journal line"
    assert letters[0].first_us <= letters[0].last_us
    assert stream.dead_count() == 2
    assert stream.put_again([delivery(event(2))]) == []
    assert stream.put_again([delivery(event(2))]) == []
    assert [one.seq for one in stream.dead_letters()] == [4]
    assert sorted(seqs(stream.latest())) == [2, 3, 5]
    assert stream.cursor() == cursor(5)


def test_the_oldest_leave_and_are_no_difference(counters_place: Any, stream: Any) -> None:
    stream.kept = 200
    put(stream, range(1, 1001))
    kept = stream.fingerprints(1, 5000)
    assert 200 <= len(kept) < 400
    assert max(kept) == 1001
    every = [delivery(event(n)) for n in range(1, 1001)]
    wanted = {one.seq: mark for one in every if (mark := stream.expected(one))}
    assert wanted == kept
    put(stream, range(1, 50), after=1001)
    assert stream.fingerprints(1, 5000) == kept, "what has left for its age does not come back"


def test_a_forged_entry_shows(counters_place: Any, stream: Any) -> None:
    put(stream, range(1, 6))
    key = stream.stream()

    def forge(link: Any) -> None:
        entries = link.xrange(key)
        link.delete(key)
        for place, stored in entries:
            if stored["seq"] == "4":
                stored["decision"] = "deny"
            link.xadd(key, stored, id=place)

    stream.ask(forge)
    there = stream.fingerprints(1, 9)
    wrong = [n + 1 for n in range(1, 6) if there[n + 1] != stream.expected(delivery(event(n)))]
    assert wrong == [4]


def test_two_journals_are_apart_and_one_group_reads_both(counters_place: Any, stream: Any) -> None:
    other = counters_place.open()
    other.journal = "k" * 32
    put(stream, range(1, 4))
    put(other, range(1, 3))
    assert len(stream.fingerprints(1, 9)) == 3
    assert len(other.fingerprints(1, 9)) == 2
    found = stream.read("g", "c")
    assert sorted((one.journal, one.seq) for one in found) == [
        *((JOURNAL, n) for n in (2, 3, 4)),
        *(("k" * 32, n) for n in (2, 3)),
    ]
    other.drop_all()
    assert len(stream.fingerprints(1, 9)) == 3
    assert other.cursor() is None


def test_readers_of_a_group_share_and_every_group_gets_all(stream: Any) -> None:
    put(stream, range(1, 41))
    mine, theirs = stream.read("g", "a", count=25), stream.read("g", "b", count=25)
    assert seqs(mine) == list(range(2, 27))
    assert seqs(theirs) == list(range(27, 42))
    assert stream.read("g", "a") == []
    assert len(stream.read("h", "a")) == 40
    assert stream.ack("g", [one.position for one in mine]) == 25
    assert stream.ack("g", [one.position for one in mine]) == 0
    put(stream, [41])
    assert seqs(stream.read("g", "b", block_ms=1000)) == [42]


def test_a_group_may_begin_now(stream: Any) -> None:
    put(stream, range(1, 4))
    stream.begin("late", oldest=False)
    stream.begin("late", oldest=True)
    put(stream, [4])
    assert seqs(stream.read("late", "a")) == [5]


def test_what_a_dead_reader_was_given_is_claimed(stream: Any) -> None:
    put(stream, range(1, 6))
    given = stream.read("g", "dead")
    stream.ack("g", [given[0].position])
    assert stream.claim("g", "alive", idle_ms=60_000) == []
    time.sleep(0.05)
    assert seqs(stream.claim("g", "alive", idle_ms=20)) == [3, 4, 5, 6]
    assert stream.claim("nobody", "alive", idle_ms=20) == []


def test_a_reader_waits_for_news_and_for_its_time(stream: Any) -> None:
    put(stream, [1])
    stream.ack("g", [one.position for one in stream.read("g", "a")])
    began = time.monotonic()
    assert stream.read("g", "a", block_ms=150) == []
    assert time.monotonic() - began >= 0.14
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(stream.read, "g", "a", block_ms=20_000)
        time.sleep(0.1)
        put(stream, [2])
        assert seqs(waiting.result(15)) == [3]


def test_a_stream_that_is_made_again_keeps_its_places_and_its_readers(stream: Any) -> None:
    put(stream, range(1, 11))
    given = stream.read("g", "a", count=6)
    stream.ack("g", [one.position for one in given[:4]])
    stream.rewrite_begin()
    assert stream.cursor() is None
    put(stream, range(1, 12))
    stream.rewrite_end(12)
    assert [one.position for one in stream.read("g", "b", count=50)] == [f"{JOURNAL}/{n}-0" for n in range(6, 13)]


def test_counters_by_the_minute(stream: Any) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    minute = int(now.timestamp() * 1_000_000)

    def at(second: int) -> str:
        return now.replace(second=second).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    batch = [delivery(event(n, at=at(n), decision="deny" if n == 2 else "allow")) for n in (1, 2, 3)]
    batch += [delivery(event(4, "Stop", at=at(4), tool_name=None)), delivery(event(5))]
    stream.apply(batch, cursor(6))
    stream.apply(batch, cursor(6))
    sums = stream.minutes(minute - 60 * MINUTE_US, minute + MINUTE_US)
    assert sums == {
        minute: {"event:PreToolUse": 3, "event:Stop": 1, "decision:allow": 3, "decision:deny": 1, "tool:Bash": 3}
    }, "counted once, and what is older than a day is not"
    assert stream.minutes(minute + MINUTE_US, minute + 2 * MINUTE_US) == {}
    many = [delivery(event(n, at=at(5), tool_name=f"tool{n}")) for n in range(10, 700)]
    stream.apply(many, cursor(701))
    (sums,) = stream.minutes(minute, minute + MINUTE_US).values()
    assert len(sums) <= 510, "names that come from outside are bounded"
    assert sum(count for name, count in sums.items() if name.startswith("tool:")) == 3 + 690
    stream.drop_all()
    assert stream.minutes(minute, minute + MINUTE_US) == {}


def test_two_writers_of_one_journal_leave_every_event_once(counters_place: Any, stream: Any) -> None:
    other = counters_place.open()

    def write(which: Any) -> None:
        for n in range(1, 301, 30):
            put(which, range(n, n + 30), after=n + 30)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, (stream, other)))
    assert sorted(seqs(stream.latest(1000))) == list(range(2, 302))


def test_a_store_that_lost_its_cursor_takes_nothing_before_it_is_read_again(counters_place: Any, stream: Any) -> None:
    from levaithan.stores.roles import StoreBusyError

    put(stream, range(1, 4))
    counters_place.open().drop_all()
    with pytest.raises(StoreBusyError, match="lost what it held"):
        put(stream, [4])
    assert stream.cursor() is None
    put(stream, range(1, 5))
    assert sorted(seqs(stream.latest())) == [2, 3, 4, 5]


def test_a_newer_schema_is_left_alone(stream: Any) -> None:
    from levaithan.stores.roles import SchemaTooNewError

    assert stream.current()
    stream.ask(lambda link: link.set(stream.prefix + "schema", "9"))
    assert not stream.current()
    with pytest.raises(SchemaTooNewError, match="schema 9"):
        stream.migrate()


def test_health(stream: Any) -> None:
    put(stream, range(1, 4))
    health = stream.health()
    assert health.ok
    assert health.server.startswith("Redis ")
    assert (health.schema, health.rows, health.dead_letters) == ("1", 3, 0)
    assert health.latency_ms is not None
    assert "stream" in health.capabilities
