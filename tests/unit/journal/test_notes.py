"""The few records of some kinds, found without reading the events between them."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from levaithan.hot.journal import Journal
from levaithan.journal.notes import notes


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A journal of many segments: 300 events, every tenth followed by an incident; events that look like one."""
    journal = Journal(str(tmp_path / "logs" / "journal"), fsync="never", segment_bytes=4096)
    for number in range(300):
        payload = {"kind": "incident", "text": '{"kind":"incident"}', "number": number}
        event = {"v": 1, "kind": "event", "id": f"{number:032x}", "at": "2026-11-27T05:00:00Z", "payload": payload}
        journal.append([(event["id"], orjson.dumps(event))])
        if number % 10 == 0:
            note = {"v": 1, "kind": "incident", "id": f"{10_000 + number:032x}", "number": number}
            journal.append([(note["id"], orjson.dumps(note))])
    journal.close()
    return str(tmp_path / "logs" / "journal")


def test_all_of_a_kind_and_nothing_else_in_order(folder: str) -> None:
    assert [one["number"] for one in notes(folder, ("incident", "action"))] == list(range(0, 300, 10))
    assert [one["kind"] for one in notes(folder, ("segment",))] == ["segment"] * len(list(Path(folder).glob("*.log")))
    assert list(notes(folder, ("action",))) == []


def test_from_a_place_on(folder: str) -> None:
    paths = sorted(Path(folder).glob("journal-*.log"))
    every = list(notes(folder, ("incident",)))
    middle = paths[len(paths) // 2]
    later = list(notes(folder, ("incident",), (middle.name, 0)))
    assert 0 < len(later) < len(every)
    assert later == every[-len(later) :]
    assert list(notes(folder, ("incident",), (paths[-1].name, paths[-1].stat().st_size))) == []


def test_what_was_changed_or_is_half_is_passed_over(folder: str) -> None:
    first, *_, last = sorted(Path(folder).glob("journal-*.log"))
    text = first.read_bytes()
    first.chmod(0o600)
    first.write_bytes(text.replace(b'"number":10}\n', b'"number":99}\n'))
    last.chmod(0o600)
    with last.open("ab") as file:
        file.write(b"0" * 64 + b' {"seq":9,"v":1,"kind":"incident","number":1')
    found = [one["number"] for one in notes(folder, ("incident",))]
    assert 99 not in found
    assert 10 not in found
    assert found[-1] == 290


def test_no_journal_is_no_notes(tmp_path: Path) -> None:
    assert list(notes(str(tmp_path / "nowhere"), ("incident",))) == []
