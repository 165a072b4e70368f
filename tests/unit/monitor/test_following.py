"""The journal as the monitor reads it: each record once, over restarts, and its own records not twice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

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


def test_what_is_no_record_is_counted_and_passed_over(home: Home) -> None:
    put(home, 1, 3)
    last = sorted(Path(home.journal).glob("journal-*.log"))[-1]
    last.chmod(0o600)
    with last.open("ab") as file:
        file.write(b"0" * 64 + b" {not json\n")
    following = Following(home.journal)
    assert numbers(following) == [1, 2, 3]
    assert following.skipped == 1
    again = Following(home.journal)
    assert again.load(following.dump())
    assert again.skipped == 1


def test_what_the_monitor_writes_is_in_the_journal_and_comes_along(home: Home) -> None:
    put(home, 1, 1)
    following = Following(home.journal)
    numbers(following)
    writer = Writer(home, "here")
    writer.write("incident", {"action": "open", "incident": "INC-1", "at": "2026-11-27T05:00:01.000000Z"})
    writer.close()
    (record,) = following.records()
    assert (record["kind"], record["machine"], record["at"]) == ("incident", "here", "2026-11-27T05:00:01.000000Z")


def test_a_journal_that_takes_nothing_is_told_and_taken_into_use_later(home: Home) -> None:
    Path(home.journal).parent.mkdir(parents=True)
    Path(home.journal).write_text("in the way")
    writer = Writer(home, "here")
    with pytest.raises(OSError, match="journal"):
        writer.write("incident", {"action": "open", "incident": "INC-1"})
    Path(home.journal).unlink()
    writer.write("incident", {"action": "open", "incident": "INC-1"})
    assert [one["kind"] for one in Following(home.journal).records()][-1] == "incident"


def test_secrets_do_not_reach_the_disk(home: Home) -> None:
    Path(home.root).mkdir()
    writer = Writer(home, "here")
    writer.write("incident", {"action": "note", "text": "ghp_" + "a1B2" * 9})
    assert not any(b"ghp_a1B2" in path.read_bytes() for path in Path(home.journal).glob("journal-*.log"))
