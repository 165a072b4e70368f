"""What a batch says to the memory, put into Weaviate and looked for there.

A server that was killed, or had no room, half-way through an object may have it by its id and find it by no filter, and
passes over an equal one that is put again (seen on 1.35). So what may be put a second time is removed by its id before,
and whatever was put is looked for: what is not found is an error, and the next try is a second one. The client puts a
second time by itself, where a server goes away and is back some seconds later.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from levaithan.stores import embedding
from levaithan.stores import weaviate_asking as asking
from levaithan.stores import weaviate_schema as schema
from levaithan.stores import weaviate_vectors as vectors
from levaithan.stores import weaviate_writing as writing
from levaithan.stores.memory_facts import Forget, Memory
from levaithan.stores.roles import MEMORY, StoreBusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from levaithan.stores.embedding import Model
    from levaithan.stores.weaviate_schema import Names

Fact = TypeVar("Fact", Memory, Forget, Memory | Forget)
CHUNK = 100
_CLEARED = 10
"""Objects that are removed within the time that one question may take: a request each."""
CLIENT_AGAIN_S = 1.0
"""weaviate-client waits so long before it puts a second time."""


class Ask(Protocol):
    """See WeaviateMemory.ask."""

    def __call__(self, question: Callable[[Any], Any], *, again: bool = ...) -> Any: ...


class Putter:
    """Puts through `ask` what batches say, with vectors of `model`. Raises StoreError, wherever it has come to."""

    def __init__(self, ask: Ask, names: Names, model: Model) -> None:
        self._ask, self._names, self._model = ask, names, model

    def put(self, memories: Sequence[Memory], forgets: Sequence[Forget], *, second: bool) -> dict[str, str]:
        """Forget, remember, look; id of a record -> why it was refused. second: some of it may be there, or half."""
        if forgets:
            self._forget(forgets)
        still = self._still(memories, forgets)
        if second:
            kept = {one.id for one in still}
            self._clear([one for one in memories if one.id not in kept])
        refused: dict[str, str] = {}
        for start in range(0, len(still), CHUNK):
            refused |= self._put(still[start : start + CHUNK], second=second)
        self._look([*forgets, *(one for one in still if one.id not in refused)])
        return refused

    def _still(self, memories: Sequence[Memory], forgets: Sequence[Forget]) -> list[Memory]:
        if not memories:
            return []
        made: list[Memory] = self._ask(lambda client: asking.remembered_still(client, self._names, memories, forgets))
        return made

    def _forget(self, forgets: Sequence[Forget]) -> None:
        """Write it down, then remove it, whatever model made the vectors: what is half done is done again. What is
        written down already stays: another machine may be asking for it."""
        lost = self._lost(forgets)
        if lost:
            rows: list[writing.Row] = [(self._names.forgotten, one.id, schema.gone(one), None) for one in lost]
            self._clear(lost)
            self._ask(lambda client: writing.put_all(client, rows), again=False)
        for forget in forgets:
            self._ask(partial(writing.forget, names=self._names, forget=forget))

    def _put(self, some: Sequence[Memory], *, second: bool) -> dict[str, str]:
        made = embedding.of_each(self._model, [one.text for one in some])
        rows: list[writing.Row] = [
            (self._place(one), one.id, schema.properties(one), vectors.apart(vector, one.id))
            for one, vector in zip(some, made, strict=True)
        ]
        if second:
            self._clear(some)
        refused, took_s = self._put_rows(rows)
        if took_s >= CLIENT_AGAIN_S:
            self._clear(some)
            refused, _ = self._put_rows(rows)
        return refused

    def _put_rows(self, rows: Sequence[writing.Row]) -> tuple[dict[str, str], float]:
        begun = time.monotonic()
        refused: dict[str, str] = self._ask(lambda client: writing.put(client, rows), again=False)
        return refused, time.monotonic() - begun

    def _clear(self, facts: Sequence[Memory | Forget]) -> None:
        for start in range(0, len(facts), _CLEARED):
            some = [(self._place(one), one.id) for one in facts[start : start + _CLEARED]]
            self._ask(partial(writing.clear, objects=some))

    def _look(self, facts: Sequence[Memory | Forget]) -> None:
        lost = self._lost(facts)
        if lost:  # or forgotten meanwhile, by another machine
            forgets = [one for one in lost if isinstance(one, Forget)]
            lost = [*forgets, *self._still([one for one in lost if isinstance(one, Memory)], [])]
        if lost:
            raise StoreBusyError(
                store=MEMORY, reason=f"{len(lost)} of {len(facts)} records that it took are not to be found",
                fix="nothing to do if it passes, they are put again; else look at the server's log and restart it",
            )  # fmt: skip

    def _lost(self, facts: Sequence[Fact]) -> list[Fact]:
        """Those of `facts` that no filter finds."""
        found: set[str] = set()
        for name, some in self._alike(facts):
            for start in range(0, len(some), CHUNK):
                part = some[start : start + CHUNK]
                found |= self._ask(partial(asking.found, name=name, facts=part))
        return [one for one in facts if schema.object_id(one.id) not in found]

    def _alike(self, facts: Sequence[Memory | Forget]) -> Iterator[tuple[str, list[Memory | Forget]]]:
        """(collection, facts) of one journal each, all with a session or all without."""
        groups: dict[tuple[str, str, bool], list[Memory | Forget]] = {}
        for one in facts:
            groups.setdefault((self._place(one), one.journal, bool(one.session)), []).append(one)
        for (name, _, _), some in groups.items():
            yield name, some

    def _place(self, fact: Memory | Forget) -> str:
        return self._names.forgotten if isinstance(fact, Forget) else self._names.of_kind[fact.kind]
