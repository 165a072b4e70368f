"""What every search store must do."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.ledger_records import JOURNAL, START_US, cursor, delivery, event

from levaithan.stores.roles import SearchFilters, StoreBusyError
from levaithan.stores.roles.search import Part

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


def test_the_order_of_arrival_does_not_matter(index: Any) -> None:
    batch = [delivery(event(n, payload={"tool_input": {"command": f"word number {n}"}})) for n in range(1, 13)]
    random.Random(5).shuffle(batch)
    for start in range(0, len(batch), 4):
        assert index.apply(batch[start : start + 4], cursor(13)) == []
    assert index.apply(batch[2:7], cursor(13)) == []
    assert seqs(index.find("word")) == list(range(12, 0, -1))
    assert index.fingerprints(1, 99) == {one.seq: index.expected(one) for one in batch}


def test_filters(index: Any) -> None:
    put(index, ["word", "word"])
    put(index, ["word"], first=3, session_id="s-2", tool_name="Read")
    put(index, ["word"], first=4, name="PostToolUse")
    assert seqs(index.find("word", filters=SearchFilters(session="s-2"))) == [3]
    assert seqs(index.find("word", filters=SearchFilters(tool="Bash"))) == [4, 2, 1]
    assert seqs(index.find("word", filters=SearchFilters(event="PostToolUse", session="s1"))) == [4]
    assert index.find("word", filters=SearchFilters(session="s")) == [], "values are whole, not prefixes"


def test_a_part_of_the_journals(index: Any) -> None:
    other = "k" * 32
    put(index, ["word"] * 4)
    theirs = [delivery(event(n, id=f"o{n}", payload={"x": "word"}), journal=other) for n in range(5, 9)]
    index.apply(theirs, cursor(9))

    def found(part: Part) -> list[int]:
        return sorted(seqs(index.find("word", filters=SearchFilters(part=part))))

    assert found(Part(JOURNAL)) == [1, 2, 3, 4]
    assert found(Part(other, 7)) == [6, 7, 8]
    assert found(Part(other, 7, 9)) == [6, 7]
    assert found(Part(other, 0, 7)) == [5]
    assert found(Part("x" * 32)) == []
    assert found(Part(but=(JOURNAL,))) == [5, 6, 7, 8]
    assert found(Part(but=("x" * 32,))) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found(Part(but=(JOURNAL, other))) == []
    since = START_US + 3 * SECOND
    hits = index.find("word", since_us=since, filters=SearchFilters(part=Part(JOURNAL), tool="Bash"))
    assert seqs(hits) == [4, 3]
    assert index.top("tool", "word", filters=SearchFilters(part=Part(other, 7))) == [("Bash", 3)]


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


def test_two_writers_lose_nothing(search_place: Any, index: Any) -> None:
    def write(first: int) -> None:
        mine = search_place.open()
        for n in range(first, first + 40, 10):
            while True:
                try:
                    put(mine, [f"word number {n + k}" for k in range(10)], first=n)
                    break
                except StoreBusyError:  # the other one, who is behind, moved the place: it is read again, as ever
                    mine.cursor()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (1, 21)))
    assert sorted(seqs(index.find("word", limit=100))) == list(range(1, 61))


def varied(index: Any) -> None:
    """Eight events, two of each kind."""
    batch = [
        delivery(
            event(1, payload={"tool_input": {"command": "git push origin main"}}, decision="deny", rule="git.push")
        ),
        delivery(event(2, payload={"tool_input": {"command": "git push origin dev"}})),
        delivery(event(61, tool_name="Read", payload={"tool_input": {"file_path": "/etc/hosts"}}, project="/q")),
        delivery(event(62, tool_name="Read", payload={"tool_input": {"file_path": "/p/a.py"}}, agent_id="a1")),
        delivery(event(121, session_id="s2", machine="m2", payload={"tool_input": {"command": "sleep 5"}})),
        delivery(event(122, session_id="s2", machine="m2", payload={"tool_input": {"command": "sleep 77"}})),
        delivery(event(181, "Stop", tool_name=None, decision=None, payload={"tool_name": "", "tool_input": {}})),
        delivery(event(182, canary=True, decision="deny", rule="canary", payload={"tool_input": {"command": "sleep"}})),
    ]
    assert index.apply(batch, cursor(184)) == []


def test_every_filter_narrows(index: Any) -> None:
    varied(index)
    for filters, expected in [
        (SearchFilters(decision="deny"), [182, 1]),
        (SearchFilters(decision="deny", canary=False), [1]),
        (SearchFilters(canary=True), [182]),
        (SearchFilters(rule="git.push"), [1]),
        (SearchFilters(project="/q"), [61]),
        (SearchFilters(agent="a1"), [62]),
        (SearchFilters(machine="m2"), [122, 121]),
        (SearchFilters(machine="m2", decision="deny"), []),
    ]:
        every = ["push*", "sleep*", "hosts", "a.py"]
        found = {seq for word in every for seq in seqs(index.find(word, filters=filters))}
        assert sorted(found, reverse=True) == expected, filters
    assert index.find("", filters=SearchFilters(rule="git.push")) == [], "no word finds nothing"


def test_a_histogram_counts_by_time(index: Any) -> None:
    varied(index)
    minute = 60 * SECOND
    assert index.histogram(interval_s=60) == [(START_US + n * minute, 2) for n in range(4)]
    assert index.histogram("sleep", interval_s=60) == [(START_US + 2 * minute, 2), (START_US + 3 * minute, 1)]
    assert index.histogram("sleep*", interval_s=3600, filters=SearchFilters(canary=False)) == [(START_US, 2)]
    assert index.histogram(interval_s=60, limit=2) == [(START_US + n * minute, 2) for n in (2, 3)], "the newest"
    since, until = START_US + 2 * SECOND, START_US + 62 * SECOND
    assert index.histogram(interval_s=1, since_us=since, until_us=until) == [(since, 1), (START_US + 61 * SECOND, 1)]
    assert index.histogram("***", interval_s=60) == [], "text without a word finds nothing"
    assert index.histogram(interval_s=60, since_us=START_US + 999 * SECOND) == []
    with pytest.raises(ValueError, match="a second"):
        index.histogram(interval_s=0)


def test_the_top_values_of_each_field(index: Any) -> None:
    varied(index)
    assert index.top("event") == [("PreToolUse", 7), ("Stop", 1)]
    assert index.top("tool") == [("Bash", 5), ("Read", 2)]
    assert index.top("decision") == [("allow", 5), ("deny", 2)]
    assert index.top("rule") == [("canary", 1), ("git.push", 1)]
    assert index.top("session") == [("s1", 6), ("s2", 2)]
    assert index.top("agent") == [("a1", 1)]
    assert index.top("project") == [("/p", 7), ("/q", 1)]
    assert index.top("machine", limit=1) == [("m1", 6)]
    assert index.top("decision", "git push", until_us=START_US + 2 * SECOND) == [("deny", 1)]
    assert index.top("session", filters=SearchFilters(tool="Read")) == [("s1", 2)]
    with pytest.raises(ValueError, match="none of event, tool"):
        index.top("words")


def test_patterns_join_what_differs_in_a_few_words(index: Any) -> None:
    varied(index)
    assert [(one.pattern, one.count, int(one.example, 16)) for one in index.patterns(filters=SearchFilters(tool="Bash",
        canary=False))] == [("Bash git push origin <*>", 2, 2), ("Bash sleep <number>", 2, 122)]  # fmt: skip
    found = index.patterns("push", limit=1)
    assert [(one.pattern, one.count) for one in found] == [("Bash git push origin <*>", 2)]
    assert sum(one.count for one in index.patterns()) == 8
    assert index.patterns("nothing of that") == []


def test_an_empty_store_answers(index: Any) -> None:
    assert index.find("word") == index.histogram(interval_s=60) == index.top("tool") == index.patterns() == []
    assert index.cursor() is None
    assert index.dead_letters() == []
    assert index.fingerprints(1, 1 << 62) == {}
    assert index.apply([], cursor(1)) == []
    assert index.cursor() == cursor(1)


def test_long_values_are_cut_alike_when_stored_and_asked(index: Any) -> None:
    put(index, ["word"], rule="r" * 5000, tool_name="nul\0tool")
    assert seqs(index.find("word", filters=SearchFilters(rule="r" * 5000))) == [1]
    assert seqs(index.find("word", filters=SearchFilters(tool="nul\0tool"))) == [1]
    assert index.top("rule") == [("r" * 512, 1)]


def test_words_are_taken_apart_alike(index: Any) -> None:
    put(
        index,
        ["snake_case don't e-mail 3.14 v1.2.3", "日本語 Ελλάς straße", "I\u0307stanbul cafe\u0301 ＡＢＣ", "x" * 300],
    )
    for query, expected in [
        ("snake", [1]), ("ελλασ", [2]),
        ("case", [1]), ("don", [1]), ("mail", [1]), ("14", [1]), ('"1 2"', []), ('"2 3"', [1]), ("v1.2*", [1]),
        ("日本語", [2]), ("日本*", [2]), ("ελλας", [2]), ("ΕΛΛΆΣ", [2]), ("STRASSE", []), ("straße", [2]),
        ("café", [3]), ("CAFE", [3]), ("x" * 300, [4]), ("x" * 290 + "*", [4]), ("x" * 299, []),
    ]:  # fmt: skip
        assert seqs(index.find(query)) == expected, query


def test_a_megabyte_of_text_is_searched_at_its_beginning(index: Any) -> None:
    text = "first " + "filler words " * 90_000
    assert len(text) > 1 << 20
    put(index, [text])
    assert seqs(index.find("first filler")) == [1]


def test_fingerprints_are_of_what_is_stored(index: Any) -> None:
    batch = [delivery(event(n)) for n in range(1, 5)]
    index.apply([*batch, delivery({"seq": 6, "kind": "checkpoint", "at": "x"})], cursor(6))
    there = index.fingerprints(2, 4)
    assert there == {one.seq: index.expected(one) for one in batch[:3]}
    assert len(set(there.values())) == 3
    assert index.fingerprints(5, 1 << 62).keys() == {5}
    assert index.fingerprints(0, 1) == index.fingerprints(6, 99) == index.fingerprints(4, 3) == {}
    assert index.expected(delivery({"seq": 6, "kind": "checkpoint", "at": "x"})) is None
    assert index.expected(delivery(event(1, decision="deny"))) != there[2], "an altered field shows"


def test_dead_letters_leave_when_they_are_put_again(index: Any) -> None:
    broken = delivery(event(1), record=None, problem="not JSON: x")
    assert len(index.apply([broken, delivery(event(2))], cursor(3))) == 1
    assert index.dead_count() == 1
    assert len(index.put_again([broken])) == 1
    assert index.dead_letters()[0].attempts == 2
    assert index.put_again([delivery(event(1))]) == []
    assert index.dead_count() == 0
    assert seqs(index.find("echo")) == [2, 1]
    assert index.cursor() == cursor(3)


def test_health_says_how_much_there_is(index: Any) -> None:
    put(index, ["word"] * 3)
    index.find("word")
    health = index.health()
    assert health.ok, health.problems
    assert health.rows == 3 or (index.remote and health.rows > 3), "a shared server may hold others' too"
    assert health.bytes > 0
    assert health.schema
    assert health.server
