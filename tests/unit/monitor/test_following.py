"""The journal as the monitor reads it: each record once, over restarts, and its own records not twice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.hot.journal import Journal
from levaithan.monitor.following import Following
from levaithan.monitor.writing import Writer

if TYPE_CHECKING:
    from levaithan.hot.paths import Home


def put(home: Home, first: int, last: int) -> None:
    """Events number `first` to `last`."""
    Path(home.root).mkdir(exist_ok=True)
    journal = Journal(home.journal, fsync="never", segment_bytes=4096)
    for number in range(first, last + 1):
        body = {"v": 1, "kind": "event", "id": f"{number:032x}", "at": "2026-11-27T05:00:00.000000Z", "event": "Stop"}
        journal.append([(body["id"], orjson.dumps(body))])
    journal.close()


def numbers(following: Following) -> list[int]:
    """The events that it gives until the end."""
    found: list[int] = []
    while True:
        before = following.cursor
        found += [int(one["id"], 16) for one in following.records() if one.get("kind") == "event"]
        if following.cursor == before:
            return found


def test_each_record_once_over_segments_and_restarts(home: Home) -> None:
    put(home, 1, 40)
    first = Following(home.journal)
    assert numbers(first) == list(range(1, 41))
    put(home, 41, 60)
    again = Following(home.journal)
    assert again.load(orjson.loads(orjson.dumps(first.dump())))
    assert numbers(again) == list(range(41, 61))
    assert numbers(again) == []


def test_a_batch_that_is_broken_off_comes_again(home: Home) -> None:
    put(home, 1, 10)
    following = Following(home.journal)
    records = following.records()
    next(records)
    records.close()
    assert numbers(following) == list(range(1, 11))


def test_a_place_of_another_journal_is_refused(home: Home) -> None:
    put(home, 1, 3)
    following = Following(home.journal)
    numbers(following)
    told = following.dump()
    told["cursor"][0] = "0" * 32
    assert not Following(home.journal).load(told)
    told = following.dump()
    told["cursor"][2] += 7
    assert not Following(home.journal).load(told)


def test_what_it_wrote_itself_is_not_taken_twice_even_over_a_restart(home: Home) -> None:
    put(home, 1, 2)
    following = Following(home.journal)
    numbers(following)
    writer = Writer(home, following.own)
    written = writer.write("incident", {"action": "open", "incident": "INC-1"})
    told = following.dump()
    assert list(told["own"]) == [written["id"]]
    assert writer.error == ""
    after = Following(home.journal)
    assert after.load(told)
    put(home, 3, 3)
    kinds: list[Any] = [one["kind"] for one in after.records()]
    assert "incident" not in kinds
    assert kinds == ["event"]
    assert after.own == {}
    writer.close()


def test_what_others_wrote_is_taken(home: Home) -> None:
    put(home, 1, 1)
    following = Following(home.journal)
    numbers(following)
    Writer(home, {}).write("incident", {"action": "ack", "incident": "INC-1", "by": "somebody"})
    assert [one["action"] for one in following.records()] == ["ack"]


def test_a_journal_that_takes_nothing_holds_up_nothing_and_gets_it_later(home: Home, tmp_path: Any) -> None:
    (tmp_path / "home" / "logs").mkdir(parents=True)
    (tmp_path / "home" / "logs" / "journal").write_text("in the way")
    following = Following(home.journal)
    writer = Writer(home, following.own)
    record = writer.write("incident", {"action": "open", "incident": "INC-1"})
    assert record["id"] and writer.error and len(writer.waiting) == 1
    writer.write("incident", {"action": "page", "incident": "INC-1"})
    (tmp_path / "home" / "logs" / "journal").unlink()
    assert writer.retry()
    assert not writer.waiting and not writer.error
    fresh = Following(home.journal)
    assert [one["action"] for one in fresh.records() if one["kind"] == "incident"] == ["open", "page"]


def test_secrets_do_not_reach_the_disk(home: Home) -> None:
    record = Writer(home, {}).write("incident", {"action": "note", "text": "ghp_" + "a1B2" * 9})
    assert "ghp_a1B2" not in str(record)
