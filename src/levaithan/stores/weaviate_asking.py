"""Questions to the memory in Weaviate: functions over a connected client, a call for each of the collections asked.

The server finds the candidates; the order among collections is made here by one rule (memory_ranking), for the server's
own scores of a hybrid search are relative to one collection's answer and cannot be compared.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from levaithan.stores import memory_facts, memory_ranking
from levaithan.stores import weaviate_schema as schema
from levaithan.stores.roles import Cursor
from levaithan.stores.roles.memory import Remembered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.stores.memory_facts import Forget, Memory
    from levaithan.stores.roles.memory import MemoryFilters
    from levaithan.stores.weaviate_schema import Names
    from levaithan.stores.weaviate_vectors import Question

PAGE = 1_000
_CANDIDATES = 20


def _asked(names: Names, filters: MemoryFilters | None) -> Iterator[tuple[str, str]]:
    """(kind, collection) of what is asked."""
    for kind, name in names.of_kind.items():
        if filters is None or filters.kind in (None, kind):
            yield kind, name


def near(client: Any, names: Names, question: Question, k: int, filters: MemoryFilters | None) -> list[Remembered]:
    """See roles.Memory.near."""
    rows: list[tuple[str, Any]] = []
    for kind, name in _asked(names, filters):
        answer = client.collections.use(name).query.near_vector(
            near_vector=list(question.vector),
            limit=k,
            filters=schema.narrowed(filters),
            return_properties=list(schema.FIELDS),
        )
        rows += [(kind, one.properties) for one in answer.objects]
    cosines = question.cosines([str(row["text"]) for _, row in rows])
    found = [_remembered(kind, row, cosine) for (kind, row), cosine in zip(rows, cosines, strict=True)]
    return heapq.nlargest(k, found, key=lambda one: (one.score, one.at_us))


def hybrid(  # noqa: PLR0917 - the role's own arguments, after where to ask
    client: Any, names: Names, question: Question, k: int, alpha: float, filters: MemoryFilters | None
) -> list[Remembered]:
    """See roles.Memory.hybrid."""
    terms = memory_ranking.terms(question.text)
    rows: list[tuple[str, Any]] = []
    for kind, name in _asked(names, filters):
        answer = client.collections.use(name).query.hybrid(
            query=" ".join(memory_ranking.spellings(question.text)),
            query_properties=["text"],
            vector=list(question.vector),
            alpha=alpha,
            limit=max(_CANDIDATES, 2 * k),
            filters=schema.narrowed(filters),
            return_properties=list(schema.FIELDS),
        )
        rows += [(kind, one.properties) for one in answer.objects]
    texts = [str(row["text"]) for _, row in rows]
    cosines = question.cosines(texts) if alpha > 0 else [0.0] * len(texts)
    found = [
        _remembered(kind, row, memory_ranking.fused(alpha, cosine, memory_ranking.share(terms, text)))
        for (kind, row), text, cosine in zip(rows, texts, cosines, strict=True)
    ]
    best = heapq.nlargest(k, found, key=lambda one: (one.score, one.at_us))
    return [one for one in best if one.score]


def get(client: Any, names: Names, record: str) -> Remembered | None:
    """See roles.Memory.get."""
    for kind, name in names.of_kind.items():
        one = client.collections.use(name).query.fetch_object_by_id(schema.object_id(record))
        if one is not None and one.properties["event"] == record:
            return _remembered(kind, one.properties, None)
    return None


def place(client: Any, names: Names, journal: str) -> Cursor | None:
    """How far `journal` was read."""
    found = client.collections.use(names.cursors).query.fetch_object_by_id(schema.object_id(journal))
    if found is None or found.properties["journal"] != journal:
        return None
    row = found.properties
    return Cursor(journal, str(row["segment"]), int(row["offset"]), int(row["seq"]), str(row["hash"]))


def kinds(client: Any, names: Names, filters: MemoryFilters | None) -> dict[str, int]:
    """See roles.Memory.kinds."""
    found = {}
    for kind, name in sorted(_asked(names, filters)):
        told = client.collections.use(name).aggregate.over_all(total_count=True, filters=schema.narrowed(filters))
        if told.total_count:
            found[kind] = int(told.total_count)
    return found


def stored(client: Any, names: Names, journal: str, first: int, last: int) -> Iterator[tuple[str, str, int, str]]:
    """(collection, id of the object, seq, fingerprint) of all that is stored of a journal's records."""
    for kind, name in names.of_kind.items():
        for one in _pages(client, name, journal, first, last):
            row = one.properties
            parts = (row["event"], kind, *(_plain(row, field) for field in schema.FIELDS[1:]))
            yield name, str(one.uuid), int(row["seq"]), memory_facts.fingerprint(*parts)
    for one in _pages(client, names.forgotten, journal, first, last):
        row = one.properties
        made = memory_facts.fingerprint(row["event"], "forget", int(row["until_us"]), row["session"])
        yield names.forgotten, str(one.uuid), int(row["seq"]), made


def found(client: Any, name: str, facts: Sequence[Memory | Forget]) -> set[str]:
    """The ids of the objects of `facts` that filters find: by where they stand, and by their sessions. All are of one
    journal, and all have a session or none has."""
    answer = client.collections.use(name).query.fetch_objects(
        filters=schema.standing(facts), limit=len(facts), return_properties=["seq"]
    )
    return {str(one.uuid) for one in answer.objects}


def _pages(client: Any, name: str, journal: str, first: int, last: int) -> Iterator[Any]:
    from weaviate.classes.query import Sort  # noqa: PLC0415

    collection = client.collections.use(name)
    while first <= last:
        answer = collection.query.fetch_objects(
            filters=schema.between(journal, first, last), limit=PAGE, sort=Sort.by_property("seq", ascending=True)
        )
        yield from answer.objects
        if len(answer.objects) < PAGE:
            return
        first = int(answer.objects[-1].properties["seq"]) + 1


def remembered_still(client: Any, names: Names, memories: Sequence[Memory], forgets: Sequence[Forget]) -> list[Memory]:
    """Those of `memories` that nothing says were forgotten: neither `forgets` nor what is stored."""
    sessions = sorted({one.session for one in memories if one.session})
    gone = [*forgets, *(forgotten(client, names, sessions) if sessions else [])]
    return [one for one in memories if not any(forget.covers(one) for forget in gone)]


def forgotten(client: Any, names: Names, sessions: list[str]) -> list[memory_facts.Forget]:
    """What was recorded of the forgetting of `sessions`, by any machine."""
    found = []
    for start in range(0, len(sessions), PAGE // 10):
        answer = client.collections.use(names.forgotten).query.fetch_objects(
            filters=schema.of_sessions(sessions[start : start + PAGE // 10]), limit=PAGE
        )
        for one in answer.objects:
            row = one.properties
            seq, until = int(row["seq"]), int(row["until_us"])
            found.append(memory_facts.Forget(row["event"], seq, row["journal"], row["session"], until))
    return found


def _plain(row: Any, field: str) -> str | int:
    value = row.get(field)
    return int(value) if field in ("at_us", "length") else str(value or "")


def _remembered(kind: str, row: Any, score: float | None) -> Remembered:
    session, agent, project, machine = (str(row.get(name) or "") for name in schema.FIELDS[4:])
    return Remembered(
        str(row["event"]), kind, int(row["at_us"]), str(row["text"]), int(row["length"]), session, agent, project,
        machine, None if score is None else round(score, 6),
    )  # fmt: skip
