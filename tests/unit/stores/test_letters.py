"""Dead letters of stores on servers, kept on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.ledger_records import JOURNAL, delivery, event

from levaithan.stores.letters import Letters
from levaithan.stores.roles import Rejected, StoreBusyError


def test_none_make_no_file(tmp_path: Path) -> None:
    letters = Letters(str(tmp_path), "graph")
    letters.note([delivery(event(1))], [])
    assert letters.list(JOURNAL) == []
    assert letters.count(JOURNAL) == 0
    assert list(tmp_path.iterdir()) == []


def test_kept_counted_and_gone_when_they_arrive(tmp_path: Path) -> None:
    letters = Letters(str(tmp_path), "graph")
    good, bad = delivery(event(1)), delivery(event(2))
    letters.note([good, bad], [Rejected(bad, "NUL in a text")])
    letters.note([bad], [Rejected(bad, "still")])
    (letter,) = letters.list(JOURNAL)
    assert (letter.seq, letter.attempts, letter.reason, letter.tool_use_id) == (3, 2, "still", "toolu_0002")
    assert letters.count(JOURNAL) == 1
    assert letters.count("another") == 0
    assert Letters(str(tmp_path), "search").list(JOURNAL) == []
    letters.note([bad], [])
    assert letters.list(JOURNAL) == []
    assert (tmp_path / "letters.sqlite3").stat().st_mode & 0o777 == 0o600


def test_of_one_journal_and_store_only(tmp_path: Path) -> None:
    bad = delivery(event(1))
    for store in ("graph", "search"):
        Letters(str(tmp_path), store).note([bad], [Rejected(bad, "x")])
    other = delivery(event(1), journal="other")
    Letters(str(tmp_path), "graph").note([other], [Rejected(other, "x")])
    Letters(str(tmp_path), "graph").clear(JOURNAL)
    assert Letters(str(tmp_path), "graph").count(JOURNAL) == 0
    assert Letters(str(tmp_path), "graph").count("other") == 1
    assert Letters(str(tmp_path), "search").count(JOURNAL) == 1


def test_a_file_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "letters.sqlite3").write_bytes(b"no database, but long enough to be looked at as one" * 50)
    with pytest.raises(StoreBusyError, match=r"letters\.sqlite3"):
        Letters(str(tmp_path), "graph").list(JOURNAL)
