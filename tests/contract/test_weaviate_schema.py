"""The collections of the memory in Weaviate, on an imitation and on the real server: one that goes while it is used,
one that Weaviate made by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.conftest import MEMORIES, Place, offered
from tests.contract.test_memory_contract import ids, prompt, put, story
from tests.support.ledger_records import cursor, delivery

from levaithan.stores.roles import StoreBusyError, StoreUnsupportedError
from levaithan.stores.weaviate_memory import WeaviateMemory


@pytest.fixture(params=[name for name in MEMORIES if name.startswith("weaviate")])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = offered(MEMORIES[request.param], request.param, tmp_path)
    yield made
    assert made.end is not None
    made.end()


@pytest.fixture
def memory(place: Place) -> Iterator[WeaviateMemory]:
    opened: WeaviateMemory = place.open()
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


def test_another_machine_fills_it_again_too(place: Place, memory: WeaviateMemory) -> None:
    other = place.open()
    other.journal = "k" * 32
    put(other, [prompt(30, "of another machine", "s9")], journal=other.journal)
    _removed(memory, memory.names.of_kind["prompt"])
    memory.migrate()
    assert other.cursor() is None
    other.close()


def _made_of_an_object(memory: WeaviateMemory, name: str) -> None:
    from weaviate.classes.config import Configure, DataType, Property

    _removed(memory, name)
    texts = [Property(name=one, data_type=DataType.TEXT) for one in ("journal", "session", "text")]
    memory.ask(
        lambda client: client.collections.create(
            name, properties=texts, vector_config=Configure.Vectors.self_provided()
        )
    )


def test_a_collection_that_weaviate_made_of_an_object_is_refused(place: Place, memory: WeaviateMemory) -> None:
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
