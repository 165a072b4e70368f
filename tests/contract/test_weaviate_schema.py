"""The collections of the memory in Weaviate, on an imitation and on the real server: one that goes while it is used,
one that Weaviate made by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.conftest import Place
from tests.contract.test_memory_contract import Mirrored, ids, prompt, put, story
from tests.support.ledger_records import cursor, delivery

from levaithan.stores import weaviate_schema as schema
from levaithan.stores import weaviate_writing as writing
from levaithan.stores.roles import StoreBusyError, StoreUnsupportedError
from levaithan.stores.weaviate_errors import of_server
from levaithan.stores.weaviate_memory import WeaviateMemory


@pytest.fixture
def memory(each_weaviate: Place) -> Iterator[WeaviateMemory]:
    opened: WeaviateMemory = each_weaviate.open()
    opened.edge.attempts = 1
    opened.migrate()
    put(opened, story())
    yield opened
    opened.close()


def _removed(memory: WeaviateMemory, name: str) -> None:
    memory.ask(lambda client: client.collections.delete(name))


GONE: dict[str, Callable[[WeaviateMemory], str]] = {
    "of prompts": lambda memory: memory.names.of_kind["prompt"],
    "of places": lambda memory: memory.names.cursors,
    "of what is forgotten": lambda memory: memory.names.forgotten,
}


@pytest.mark.parametrize("which", GONE.values(), ids=GONE)
def test_a_collection_that_goes_is_filled_again_from_the_journal(
    memory: WeaviateMemory, which: Callable[[WeaviateMemory], str]
) -> None:
    _removed(memory, which(memory))
    with pytest.raises(StoreBusyError):
        memory.apply([delivery(prompt(20, "comes too late"))], cursor(21))
    assert memory.dead_count() == 0, "nothing is amiss with what came"
    memory.migrate()
    assert memory.cursor() is None, "it is read from the start"
    put(memory, [*story(), prompt(20, "comes too late")])
    assert memory.current()
    assert ids(memory.near("chocolate cake", 1)) == {3}
    assert memory.kinds() == {"prompt": 4, "outcome": 2, "note": 1, "incident": 1}


def test_another_machine_fills_it_again_too(each_weaviate: Place, memory: WeaviateMemory) -> None:
    other = each_weaviate.open()
    other.journal = "k" * 32
    put(other, [prompt(30, "of another machine", "s9")], journal=other.journal)
    _removed(memory, memory.names.of_kind["prompt"])
    memory.migrate()
    assert other.cursor() is None
    other.close()


class Late:
    """A client that saw the collections a while ago."""

    def __init__(self, client: Any, there: dict[str, Any]) -> None:
        self.client, self.collections = client, self
        self.list_all = lambda: there

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client.collections, name)


def test_two_machines_that_make_it_at_once_do_not_undo_each_others_work(memory: WeaviateMemory) -> None:
    name = memory.names.of_kind["prompt"]
    seen = memory.ask(lambda client: client.collections.list_all())
    del seen[name]
    _removed(memory, name)
    memory.migrate()
    assert memory.cursor() is None
    put(memory, story())
    assert memory.ask(lambda client: schema.make(Late(client, seen), memory.names)) == []
    assert memory.cursor() == cursor(story()[-1]["seq"])


def test_a_place_is_not_left_by_a_second_try_when_the_places_were_forgotten_meanwhile(
    memory: WeaviateMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.edge.attempts = 3
    tries = []

    def forgotten_meanwhile(client: Any, names: schema.Names, at: Any) -> None:
        tries.append(at)
        writing.unplace(client, names, memory.journal)
        raise StoreBusyError(store="memory", reason="gone for a moment")

    monkeypatch.setattr(writing, "place", forgotten_meanwhile)
    with pytest.raises(StoreBusyError, match="gone for a moment"):
        memory.apply([delivery(prompt(20, "comes too late"))], cursor(21))
    monkeypatch.undo()
    assert tries == [cursor(21)]
    with pytest.raises(StoreBusyError, match="before where it was left"):
        memory.apply([delivery(prompt(20, "comes too late"))], cursor(21))
    assert memory.cursor() is None


def test_what_is_forgotten_is_filled_again_by_the_machines_of_every_model(
    each_weaviate: Place, memory: WeaviateMemory
) -> None:
    assert each_weaviate.open_with is not None
    other = each_weaviate.open_with(Mirrored())
    other.migrate()
    put(other, story())
    _removed(memory, memory.names.forgotten)
    memory.migrate()
    assert other.cursor() is None
    other.close()


def test_the_prefix_says_nothing_of_the_server() -> None:
    assert not of_server("invalid text property 'text' on class 'MemoryDiskPrompt_hashing_1_1'")
    assert of_server("shard of class 'TeamPrompt_hashing_1_1' is not ready")


def _made_of_an_object(memory: WeaviateMemory, name: str) -> None:
    from weaviate.classes.config import Configure, DataType, Property

    _removed(memory, name)
    texts = [Property(name=one, data_type=DataType.TEXT) for one in ("journal", "session", "text")]
    memory.ask(
        lambda client: client.collections.create(
            name, properties=texts, vector_config=Configure.Vectors.self_provided()
        )
    )


def test_a_collection_that_weaviate_made_of_an_object_is_refused(each_weaviate: Place, memory: WeaviateMemory) -> None:
    """To forget a session there would be to forget all whose names share a word with it."""
    name = memory.names.of_kind["prompt"]
    _made_of_an_object(memory, name)
    with pytest.raises(StoreUnsupportedError, match=f"{name} was not made by LevAIthan") as told:
        memory.migrate()
    assert f"remove the collection {name}" in told.value.fix
    assert "AUTOSCHEMA_ENABLED=false" in told.value.fix
    health = memory.health()
    assert (health.ok, health.fix) == (False, told.value.fix)
    _removed(memory, name)
    memory.migrate()
    assert memory.cursor() is None
    assert memory.health().ok


def test_a_collection_that_lacks_some_of_it_is_refused(memory: WeaviateMemory) -> None:
    from weaviate.classes.config import Configure, DataType, Property, Tokenization

    name = memory.names.of_kind["note"]
    _removed(memory, name)
    names = [
        Property(name=one, data_type=DataType.TEXT, tokenization=Tokenization.FIELD) for one in ("journal", "session")
    ]
    vectors = Configure.Vectors.self_provided()
    memory.ask(lambda client: client.collections.create(name, properties=names, vector_config=vectors))
    with pytest.raises(StoreUnsupportedError, match=f"{name} was not made by LevAIthan"):
        memory.migrate()


def test_others_collections_are_nobodys_business(memory: WeaviateMemory) -> None:
    other = f"{memory.names.prefix}Prompt_of_somebody"
    _made_of_an_object(memory, other)
    memory.migrate()
    assert memory.cursor() == cursor(story()[-1]["seq"])


def test_a_real_server_that_makes_collections_of_objects_is_found_out(own_server: Any, tmp_path: Path) -> None:
    from tests.servers.weaviate import Weaviate
    from tests.support import weaviate_place

    class Lavish(Weaviate):
        def environ(self) -> dict[str, str]:
            return super().environ() | {"AUTOSCHEMA_ENABLED": "true"}

    memory = weaviate_place.of(own_server("weaviate", Lavish).endpoint(), tmp_path).open()
    memory.migrate()
    put(memory, story())
    _removed(memory, memory.names.of_kind["prompt"])
    memory.apply([delivery(prompt(20, "comes too late"))], cursor(21))
    with pytest.raises(StoreUnsupportedError, match="was not made by LevAIthan"):
        memory.migrate()
    memory.close()
