"""What every search store must do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.ledger_records import START_US, cursor, delivery, event

from levaithan.stores.roles import SearchFilters

SECOND = 1_000_000


@pytest.fixture
def index(search_place: Any) -> Any:
    opened = search_place.open()
    opened.migrate()
    return opened


def put(index: Any, texts: list[str], first: int = 1, **over: Any) -> list[Any]:
    batch = [
        delivery(event(n, payload={"tool_input": {"command": text}}, **over)) for n, text in enumerate(texts, first)
    ]
    return index.apply(batch, cursor(first + len(texts)))


def seqs(hits: list[Any]) -> list[int]:
    return [hit.seq - 1 for hit in hits]


def test_words_are_found_newest_first(index: Any) -> None:
    put(index, ["alpha beta", "beta gamma", "alpha gamma", "delta"])
    assert seqs(index.find("alpha")) == [3, 1]
    assert seqs(index.find("gamma beta")) == [2], "all words, in any order"
    assert index.find("epsilon") == []
    (hit,) = index.find("delta")
    assert (hit.id, hit.at_us) == (f"{4:032x}", START_US + 4 * SECOND)


def test_phrases_prefixes_paths_and_accents(index: Any) -> None:
    put(index, ["git push origin main", "push the git", "cat src/levaithan/model.py", "Überraschung!"])
    assert seqs(index.find('"git push"')) == [1]
    assert seqs(index.find("src/levaithan/model.py")) == [3]
    assert seqs(index.find("levai*")) == [3]
    assert seqs(index.find("uberraschung")) == [4]
    assert seqs(index.find("ÜBERRASCHUNG")) == [4]


def test_a_batch_put_twice_is_found_once(index: Any) -> None:
    put(index, ["alpha", "beta"])
    put(index, ["alpha", "beta"])
    assert seqs(index.find("alpha")) == [1]
    assert index.cursor() == cursor(3)


def test_filters(index: Any) -> None:
    put(index, ["word", "word"])
    put(index, ["word"], first=3, session_id="s-2", tool_name="Read")
    put(index, ["word"], first=4, name="PostToolUse")
    assert seqs(index.find("word", filters=SearchFilters(session="s-2"))) == [3]
    assert seqs(index.find("word", filters=SearchFilters(tool="Bash"))) == [4, 2, 1]
    assert seqs(index.find("word", filters=SearchFilters(event="PostToolUse", session="s1"))) == [4]
    assert index.find("word", filters=SearchFilters(session="s")) == [], "values are whole, not prefixes"


def test_a_window_of_time_is_half_open_even_when_the_clock_went_back(index: Any) -> None:
    put(index, ["word"] * 5)
    early = event(6, payload={"x": "word"}, at=event(1)["at"])
    index.apply([delivery(early)], cursor(7))
    since, until = START_US + 2 * SECOND, START_US + 4 * SECOND
    assert seqs(index.find("word", since_us=since, until_us=until)) == [3, 2]
    assert seqs(index.find("word", until_us=since)) == [6, 1]
    assert index.find("word", since_us=START_US + 99 * SECOND) == []


def test_pages_neither_miss_nor_repeat(index: Any) -> None:
    put(index, ["word"] * 25)
    seen: list[int] = []
    before = None
    while page := index.find("word", limit=7, before=before):
        seen += seqs(page)
        before = page[-1].position
    assert seen == list(range(25, 0, -1))


def test_pages_hold_still_while_new_events_arrive(index: Any) -> None:
    put(index, ["word"] * 10)
    first = index.find("word", limit=5)
    put(index, ["word"] * 5, first=11)
    assert seqs(index.find("word", limit=5, before=first[-1].position)) == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    "query",
    ['"', "AND", "a OR", "NOT", "NEAR(", "text:", "-x", "(((", "*", "^a", "a AND", "'", "{a}", "tags : x", "\0", ""],
)
def test_no_text_is_an_error(index: Any, query: str) -> None:
    put(index, ["nothing of that"])
    index.find(query)


@given(st.text(max_size=60))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_a_query(index: Any, query: str) -> None:
    assert isinstance(index.find(query), list)


def test_operators_are_plain_words(index: Any) -> None:
    put(index, ["this and that or not", "this that"])
    assert seqs(index.find("this AND that")) == [1]
    assert seqs(index.find("not")) == [1]


def test_what_the_ledger_sets_aside_can_be_searched(index: Any) -> None:
    rejected = put(index, ["be\0fore nulword", "x " * 600_000 + "end"])
    assert rejected == []
    assert seqs(index.find("nulword")) == [1]
    lone = delivery(event(3, payload={"x": "lone \udcff surrogate"}), problem="text with a lone surrogate")
    assert index.apply([lone], cursor(4)) == []
    assert seqs(index.find("surrogate")) == [3]


def test_a_line_that_is_no_record_is_a_dead_letter(index: Any) -> None:
    broken = delivery({}, record=None, problem="not JSON: x", offset=5, seq=9)
    rejected = index.apply([broken, delivery(event(1))], cursor(2))
    assert len(rejected) == 1
    (letter,) = index.dead_letters()
    assert (letter.store, letter.offset, letter.reason) == ("search", 5, "not JSON: x")


def test_the_same_number_in_another_journal_is_another_document(index: Any) -> None:
    put(index, ["alpha"])
    index.apply([delivery(event(1, id="f" * 32, payload={"x": "beta"}), journal="k" * 32)], cursor(2))
    assert len(index.find("alpha")) == 1
    assert len(index.find("beta")) == 1


def test_reopened_it_still_finds(search_place: Any, index: Any) -> None:
    put(index, ["alpha"])
    index.close()
    again = search_place.open()
    assert seqs(again.find("alpha")) == [1]
    assert again.cursor() == cursor(2)
    again.drop_all()
    assert again.find("alpha") == []
    assert again.cursor() is None
