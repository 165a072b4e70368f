"""Objects that Weaviate has half: it was killed, or its disk was full, in the midst of them. It has them by their ids,
finds them by no filter, and says that all is well when they are put again. The real server is made to do that by
tests/faults/test_weaviate_full_disk.py; here an imitation does it, one object at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.test_memory_contract import ids, person, prompt
from tests.servers.weaviate_imitation import Imitation
from tests.support.ledger_records import JOURNAL, cursor, delivery
from tests.support.weaviate_place import KEY

from levaithan.stores import embedding
from levaithan.stores import weaviate_asking as asking
from levaithan.stores import weaviate_writing as writing
from levaithan.stores.opening import Opening
from levaithan.stores.roles import StoreBusyError
from levaithan.stores.weaviate_memory import WeaviateMemory

STORY = [
    prompt(1, "repair the login form"),
    prompt(2, "bake a chocolate cake", "s2"),
    person(3, action="forget", session_id="s9"),
    prompt(4, "the migration times out"),
]
WHOLE = {2, 3, 4, 5}
"""The numbers of its records: each is told by a memory, or by what is forgotten."""
Open = Callable[[], WeaviateMemory]


@pytest.fixture
def begin(imitation: Imitation, tmp_path: Path) -> Iterator[Open]:
    """Opens the memory as a projector that starts does."""
    made: list[WeaviateMemory] = []

    def opened() -> WeaviateMemory:
        opening = Opening(role="memory", path="", state=str(tmp_path), url=imitation.url, api_key=KEY, timeout_s=5.0,
                          journal=JOURNAL)  # fmt: skip
        store = WeaviateMemory(opening, embedding.model("hashing"))
        store.migrate()
        store.cursor()
        made.append(store)
        return store

    yield opened
    for one in made:
        one.close()


def applied(store: WeaviateMemory) -> None:
    assert store.apply([delivery(one) for one in STORY], cursor(5)) == []


@pytest.mark.parametrize("started_anew", [False, True])
@pytest.mark.parametrize("room", range(5))
def test_what_is_half_there_is_put_whole(imitation: Imitation, begin: Open, room: int, started_anew: bool) -> None:
    """Of four objects and a place, the first `room` are whole when the disk is full."""
    store = begin()
    imitation.room = room
    with pytest.raises(StoreBusyError):
        applied(store)
    assert any(one.half for there in imitation.objects.values() for one in there.values())
    imitation.room = None
    store = begin() if started_anew else store
    assert store.cursor() is None
    applied(store)
    assert set(store.fingerprints(1, 9)) == WHOLE
    assert ids(store.near("login cake migration", 9)) == {1, 2, 4}
    assert store.cursor() == cursor(5)
    assert begin().cursor() == cursor(5)


def test_what_is_half_there_is_forgotten_too(imitation: Imitation, begin: Open) -> None:
    """No filter finds it, so that what forgets a session passes over it."""
    store = begin()
    story = [delivery(prompt(1, "a secret plan", "s9")), delivery(person(2, action="forget", session_id="s9"))]
    imitation.room = 0
    with pytest.raises(StoreBusyError):
        store.apply(story[:1], cursor(2))
    imitation.room = None
    store.apply(story, cursor(3))
    assert not imitation.objects[store.names.of_kind["prompt"]]


def test_the_place_of_later_is_found(imitation: Imitation, begin: Open) -> None:
    """One that is half there when it is changed stays so: the journal would be read from its start for ever."""
    store = begin()
    applied(store)
    for one in imitation.objects[store.names.cursors].values():
        one.half = True
    with pytest.raises(StoreBusyError, match="before where it was left"):
        store.apply([delivery(prompt(8, "later"))], cursor(9))
    assert store.cursor() is None
    applied(store)
    store.apply([delivery(prompt(8, "later"))], cursor(9))
    assert store.cursor() == cursor(9)


def test_a_rewriting_makes_whole_what_is_half_there(imitation: Imitation, begin: Open) -> None:
    store = begin()
    applied(store)
    for one in imitation.objects[store.names.of_kind["prompt"]].values():
        one.half = True
    assert set(store.fingerprints(1, 9)) == {4}
    store.rewrite_begin()
    applied(store)
    store.rewrite_end(5)
    assert set(store.fingerprints(1, 9)) == WHOLE


def test_what_the_client_puts_a_second_time_by_itself_is_whole(imitation: Imitation, begin: Open) -> None:
    """It does so where a server dies, is started again at once, and passes over what it has half."""
    store = begin()
    imitation.dies = True
    store.apply([delivery(STORY[0])], cursor(2))
    assert not imitation.dies
    assert set(store.fingerprints(1, 9)) == {2}
    imitation.dies = True
    with pytest.raises(StoreBusyError, match="1 of 1 records that it took are not to be found"):
        store.apply([delivery(STORY[2])], cursor(4))
    store.apply([delivery(STORY[2])], cursor(4))
    assert set(store.fingerprints(1, 9)) == {2, 4}
    assert store.apply([delivery(prompt(5, "of long ago", "s9", at=STORY[0]["at"]))], cursor(6)) == []


def test_a_server_that_forgets_what_it_takes_is_told(imitation: Imitation, begin: Open) -> None:
    store = begin()
    imitation.forgets = True
    with pytest.raises(StoreBusyError, match="4 of 4 records that it took are not to be found") as told:
        applied(store)
    assert "look at the server's log" in told.value.fix
    imitation.forgets = False
    assert store.cursor() is None
    applied(store)
    assert set(store.fingerprints(1, 9)) == WHOLE


@pytest.fixture
def cleared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(collection, id) of what is removed by its id."""
    found: list[tuple[str, str]] = []
    clear = writing.clear

    def noting(client: Any, objects: Any) -> None:
        found.extend(objects)
        clear(client, objects)

    monkeypatch.setattr(writing, "clear", noting)
    return found


def test_what_comes_for_the_first_time_removes_nothing(begin: Open, cleared: list[tuple[str, str]]) -> None:
    store = begin()
    assert store.apply([delivery(STORY[0])], cursor(2)) == []
    cleared.clear()  # of the place, which was there never before
    assert store.apply([delivery(one) for one in STORY[1:2]], cursor(3)) == []
    assert store.cursor() == cursor(3)
    assert store.apply([delivery(one) for one in STORY[3:]], cursor(5)) == []
    assert cleared == []


def test_what_follows_a_batch_of_another_process_may_be_half_there(begin: Open, cleared: list[tuple[str, str]]) -> None:
    store = begin()
    assert store.apply([delivery(STORY[0])], cursor(2)) == []
    assert begin().apply([delivery(STORY[1])], cursor(3)) == []
    assert store.cursor() == cursor(3)
    cleared.clear()
    assert store.apply([delivery(STORY[3])], cursor(5)) == []
    assert cleared == [(store.names.of_kind["prompt"], STORY[3]["id"])]


def test_a_session_that_is_forgotten_is_so_at_every_moment(begin: Open, cleared: list[tuple[str, str]]) -> None:
    """Another machine may ask for it while this one reads its journal again."""
    store = begin()
    applied(store)
    cleared.clear()
    applied(store)
    assert {name for name, _ in cleared} == {store.names.of_kind["prompt"]}


def test_dead_letters_that_lie_far_apart_ask_for_nothing_between(begin: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store = begin()
    monkeypatch.setattr(asking, "_pages", None)
    assert store.put_again([delivery(prompt(1, "one")), delivery(prompt(900_000, "two"))]) == []
    monkeypatch.undo()
    assert set(store.fingerprints(1, 1_000_000)) == {2, 900_001}
