"""The memory in Weaviate as several machines share it, and what is rewritten, put back and forgotten there: on the
imitation and on the real server."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.test_memory_contract import Mirrored, compared, ids, person, prompt, put, story
from tests.support.ledger_records import JOURNAL, cursor, delivery

from levaithan.stores import memory_facts
from levaithan.stores import weaviate_schema as schema
from levaithan.stores import weaviate_writing as writing
from levaithan.stores.roles import StoreBusyError

if TYPE_CHECKING:
    from tests.contract.conftest import Place

    from levaithan.stores.weaviate_memory import WeaviateMemory

OTHER = "k" * 32


@pytest.fixture
def memory(each_weaviate: Place) -> WeaviateMemory:
    opened: WeaviateMemory = each_weaviate.open()
    opened.migrate()
    return opened


@pytest.fixture
def other(each_weaviate: Place, memory: WeaviateMemory) -> WeaviateMemory:
    """As another machine has it, whose journal is OTHER."""
    opened: WeaviateMemory = each_weaviate.open()
    opened.journal = OTHER
    return opened


def put_theirs(other: WeaviateMemory, records: list[dict[str, Any]]) -> None:
    place = dataclasses.replace(cursor(records[-1]["seq"]), journal=OTHER)
    assert other.apply([delivery(one, journal=OTHER) for one in records], place) == []


def forge(memory: WeaviateMemory, record: dict[str, Any], event: str = "", **over: Any) -> None:
    """Put the prompt `record` past the adapter, with other properties; as the record `event` where it is given."""
    (fact,), _, _ = memory_facts.read([delivery(record)])
    event, name = event or fact.id, memory.names.of_kind["prompt"]
    (vector,) = memory.model.vectors([fact.text])
    row = (name, event, {**schema.properties(fact), "event": event, **over}, list(vector))
    memory.ask(lambda client: writing.put_all(client, [row]))


def lose(memory: WeaviateMemory, records: list[dict[str, Any]]) -> None:
    """Remove what is stored of `records`, past the adapter."""
    names = memory.names.of_kind.values()
    memory.ask(lambda client: writing.clear(client, [(name, one["id"]) for name in names for one in records]))


def put_back(memory: WeaviateMemory, to: int) -> None:
    """As it is after the server was restored from a copy, made when `to` records of the story were there."""
    lose(memory, story()[to:])
    if to:
        memory.ask(lambda client: writing.place(client, memory.names, cursor(story()[to - 1]["seq"])))
    else:
        memory.ask(lambda client: writing.unplace(client, memory.names, JOURNAL))


def test_machines_share_it(memory: WeaviateMemory, other: WeaviateMemory) -> None:
    theirs = [prompt(21, "the login form again", "t1"), prompt(22, "their own words", "t2")]
    put(memory, story())
    assert other.cursor() is None
    put_theirs(other, theirs)
    assert memory.cursor() == cursor(story()[-1]["seq"])
    assert ids(memory.near("anything", 99)) == {*range(1, 8), 21, 22}
    put(memory, [person(30, action="forget", session_id="t1")])
    assert 21 not in ids(other.near("anything", 99)), "forgotten wherever it was recorded"
    put_theirs(other, theirs)
    assert 21 not in ids(other.near("anything", 99))
    other.drop_all()
    assert other.cursor() is None
    assert ids(memory.near("anything", 99)) == set(range(1, 8)), "the others' are left alone"


def test_a_rewrite_in_place_mends_what_was_altered(memory: WeaviateMemory, other: WeaviateMemory) -> None:
    put_theirs(other, [prompt(21, "their own words", "t2")])
    put(memory, story())
    first, note = story()[0], story()[5]
    forge(memory, first, text="sell the login form")
    forge(memory, first, "forged", seq=3)
    forge(memory, first, "late", seq=5000)
    lose(memory, [note])
    wanted = {one["seq"]: memory.expected(delivery(one)) for one in story()}
    found = memory.fingerprints(1, 1 << 40)
    assert {seq for seq in found if found[seq] != wanted.get(seq)} == {2, 3, 5000}
    assert note["seq"] not in found
    memory.rewrite_begin()
    assert memory.cursor() is None
    put(memory, story()[:3])
    put(memory, story()[3:])
    memory.rewrite_end(story()[-1]["seq"])
    compared(memory, story())
    assert ids(memory.near("sell the login form", 99)) == {*range(1, 8), 21}, "what was forged is gone"
    assert ids(other.near("their own words", 1)) == {21}


def test_a_server_restored_from_an_older_copy_goes_back_with_its_cursor(memory: WeaviateMemory) -> None:
    put(memory, story())
    put_back(memory, 3)
    assert memory.cursor() == cursor(story()[2]["seq"])
    put(memory, story()[3:])
    compared(memory, story())


@pytest.mark.parametrize("to", [3, 0])
def test_a_place_that_went_back_between_two_batches_is_not_written_over(memory: WeaviateMemory, to: int) -> None:
    """Put back while batches follow one another: nobody reads the cursor in between."""
    put(memory, story()[:3])
    put(memory, story()[:5])
    put_back(memory, to)
    with pytest.raises(StoreBusyError, match="restored from an older copy"):
        put(memory, story()[5:])
    assert memory.cursor() == (cursor(story()[to - 1]["seq"]) if to else None)
    put(memory, story()[to:])
    compared(memory, story())


def test_forgetting_reaches_the_vectors_of_other_models(each_weaviate: Place, memory: WeaviateMemory) -> None:
    assert each_weaviate.open_with is not None
    mirrored = each_weaviate.open_with(Mirrored())
    mirrored.migrate()
    put(memory, story())
    put(mirrored, story())
    put(memory, [person(9, action="forget", session_id="s1")])
    assert ids(mirrored.near("login form", 99)) == {3, 4, 5, 6, 7}
    put(mirrored, story())
    assert ids(mirrored.near("login form", 99)) == {3, 4, 5, 6, 7}


def test_a_long_session_is_forgotten_whole(memory: WeaviateMemory) -> None:
    """It takes more calls than one: the imitation removes few at a time."""
    put(memory, [prompt(n, f"number {n}") for n in range(1, 121)])
    put(memory, [person(200, action="forget", session_id="s1")])
    assert memory.kinds() == {}
    assert len(memory.fingerprints(1, 1 << 40)) == 1
