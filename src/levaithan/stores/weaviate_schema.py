"""The collections of the memory in Weaviate: their names, their properties, the filters over them.

A name holds the schema's version and the model of the vectors: machines with another model, or another version, have
their own and never compare what cannot be compared. The vectors are made here, so no module of the server is needed.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from levaithan.errors import NotConfigured
from levaithan.stores.roles import MEMORY, StoreBusyError, StoreUnsupportedError
from levaithan.stores.roles.memory import INCIDENT, KINDS, NOTE, OUTCOME, PROMPT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from levaithan.stores.memory_facts import Forget, Memory
    from levaithan.stores.opening import Opening
    from levaithan.stores.roles.memory import MemoryFilters

VERSION = "1"
_COLLECTIONS = {PROMPT: "Prompt", OUTCOME: "Outcome", INCIDENT: "Incident", NOTE: "Note"}
_PREFIX = "Levaithan"
_IDS = uuid.UUID("5b6f7a52-2f0e-5c1b-9a57-0f3f6c1d7e21")
"""The name space of the objects' ids (RFC 9562, version 5): a record put twice is one object."""
FIELDS = ("event", "at_us", "text", "length", "session", "agent", "project", "machine")
_NAMES = ("event", "journal", "session", "agent", "project", "machine")
_NUMBERS = ("seq", "at_us", "length")
GONE = ("event", "journal", "session")
GONE_NUMBERS = ("seq", "until_us")
PLACE = ("journal", "segment", "hash")
PLACE_NUMBERS = ("offset", "seq", "updated_us")


class Names:
    """The names of one memory's collections. Raises NotConfigured for a prefix that no collection can have."""

    def __init__(self, opening: Opening, model: str) -> None:
        self.prefix = opening.server.query.get("prefix", _PREFIX)
        if not re.fullmatch(r"[A-Z][A-Za-z0-9]{0,60}", self.prefix):
            raise NotConfigured(
                "LEVAITHAN_MEMORY_URL cannot be used: its prefix must begin with a capital and have letters and digits "
                "only.",
                fix="write it as http://host:8080?grpc_port=50051&prefix=Team",
            )
        self.where = opening.where
        slug = re.sub(r"\W", "_", model)
        self.of_kind = {kind: f"{self.prefix}{_COLLECTIONS[kind]}_{slug}_{VERSION}" for kind in KINDS}
        self.cursors = f"{self.prefix}Cursor_{slug}_{VERSION}"
        self.forgotten = f"{self.prefix}Forgotten_{VERSION}"

    @property
    def every(self) -> set[str]:
        """All of them."""
        return {*self.of_kind.values(), self.cursors, self.forgotten}

    def fields(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The properties of one of them: those that are compared whole, and the numbers; a memory's text apart."""
        special = {self.cursors: (PLACE, PLACE_NUMBERS), self.forgotten: (GONE, GONE_NUMBERS)}
        return special.get(name, (_NAMES, _NUMBERS))

    def are_places(self, name: str, *, of_all: bool) -> bool:
        """Whether a collection of that name holds places in journals: of this model, or of any."""
        return name.startswith(f"{self.prefix}Cursor_") if of_all else name == self.cursors

    def remember(self, name: str) -> bool:
        """Whether a collection of that name holds memories of ours, whatever the model."""
        return any(name.startswith(f"{self.prefix}{one}_") for one in _COLLECTIONS.values())


def make(client: Any, names: Names) -> list[str]:
    """Make what is missing of the collections; their names. Where one went that had been there, the places in the
    journals are forgotten, and every machine fills it again: before it is made, so that whoever is stopped half-way
    leaves nothing out, and after, for a place that was left meanwhile. Needs the rights of every day, no others.

    Raises StoreUnsupportedError for one not of our making.
    """
    there = client.collections.list_all()
    refuse_strange(there, names)
    # The list holds what the key may read; whether one is there at all is asked by its name.
    missing = [name for name in sorted(names.every - set(there)) if not client.collections.exists(name)]
    filled = [one for one in there if names.are_places(one, of_all=names.forgotten in missing)] if missing else []
    for one in filled:
        _empty(client, one)
    for name in sorted(missing, key=lambda name: (name == names.cursors, name)):  # last: where it is, all of them are
        _create(client, names, name)
    for one in filled:
        _empty(client, one)
    return missing


def _empty(client: Any, places: str) -> None:
    from weaviate.classes.query import Filter  # noqa: PLC0415

    every = Filter.by_property("updated_us").greater_or_equal(0)
    left = client.collections.use(places).data.delete_many(where=every).failed
    if left:  # a place that stays would pass over what is missing
        raise StoreBusyError(store=MEMORY, reason=f"{left} places in journals could not be forgotten")


def _create(client: Any, names: Names, name: str) -> None:
    from weaviate.classes.config import Configure, VectorDistances  # noqa: PLC0415 - the driver is loaded with a call
    from weaviate.exceptions import UnexpectedStatusCodeError  # noqa: PLC0415

    index = Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
    texts, numbers = names.fields(name)
    try:
        client.collections.create(
            name,
            properties=_properties(texts, numbers, searched=name in names.of_kind.values()),
            vector_config=Configure.Vectors.self_provided(vector_index_config=index),
        )
    except UnexpectedStatusCodeError:
        if not client.collections.exists(name):  # else another machine was quicker
            raise


def refuse_strange(there: Mapping[str, Any], names: Names) -> None:
    """Raise StoreUnsupportedError for a collection of our names that is not as we make them. Weaviate makes one by
    itself (AUTOSCHEMA_ENABLED) of an object that is put when its collection was just removed: a session's name would be
    words there, and forgetting one session would remove others. `there`: collections by their names, as the client
    lists them."""
    for name in sorted(names.every & set(there)):
        texts, numbers = names.fields(name)
        found = {one.name: one.tokenization for one in there[name].properties}
        if {*texts, *numbers} <= set(found) and all(getattr(found[one], "value", "") == "field" for one in texts):
            continue
        raise StoreUnsupportedError(
            store=MEMORY, role=MEMORY.upper(), where=names.where,
            reason=f"the collection {name} was not made by LevAIthan (Weaviate makes one of any object where "
            "AUTOSCHEMA_ENABLED is on)",
            fix=f"remove the collection {name} (DELETE /v1/schema/{name} with the API key) and set "
            "AUTOSCHEMA_ENABLED=false on the server; every machine fills it again from its journal by itself",
        )  # fmt: skip


def _properties(texts: Sequence[str], numbers: Sequence[str], *, searched: bool) -> list[Any]:
    """A name is compared whole (tokenization `field`) and is no word to be searched."""
    from weaviate.classes.config import DataType, Property, Tokenization  # noqa: PLC0415

    made = [
        Property(name=one, data_type=DataType.TEXT, tokenization=Tokenization.FIELD, index_searchable=False)
        for one in texts
    ]
    made += [Property(name=one, data_type=DataType.INT, index_range_filters=True) for one in numbers]
    if searched:
        made.append(
            Property(name="text", data_type=DataType.TEXT, tokenization=Tokenization.WORD, index_filterable=False)
        )
    return made


def object_id(record: str) -> str:
    """The id of the object of a record, or of a journal's cursor."""
    return str(uuid.uuid5(_IDS, record))


def properties(memory: Memory) -> dict[str, Any]:
    """What is stored of a memory, its kind apart, which is the collection."""
    return {
        "event": memory.id, "seq": memory.seq, "journal": memory.journal, "at_us": memory.at_us, "text": memory.text,
        "length": memory.length, "session": memory.session, "agent": memory.agent, "project": memory.project,
        "machine": memory.machine,
    }  # fmt: skip


def gone(forget: Forget) -> dict[str, Any]:
    """What is stored of a session that was forgotten."""
    return {
        "event": forget.id, "seq": forget.seq, "journal": forget.journal, "session": forget.session,
        "until_us": forget.until_us,
    }  # fmt: skip


def narrowed(filters: MemoryFilters | None) -> Any:
    """The filter of a question; None for all."""
    from weaviate.classes.query import Filter  # noqa: PLC0415

    if filters is None:
        return None
    parts = [
        Filter.by_property(name).equal(value)
        for name, value in (("project", filters.project), ("session", filters.session))
        if value is not None
    ]
    if filters.since_us is not None:
        parts.append(Filter.by_property("at_us").greater_or_equal(filters.since_us))
    if filters.until_us is not None:
        parts.append(Filter.by_property("at_us").less_than(filters.until_us))
    return Filter.all_of(parts) if parts else None


def between(journal: str, first: int, last: int) -> Any:
    """The filter of a journal's records from `first` to `last`."""
    from weaviate.classes.query import Filter  # noqa: PLC0415

    seq = Filter.by_property("seq")
    return Filter.all_of(
        [Filter.by_property("journal").equal(journal), seq.greater_or_equal(first), seq.less_or_equal(last)]
    )


def standing(facts: Sequence[Memory | Forget]) -> Any:
    """The filter of records of one journal, by all that compare, sweep and forget know them by."""
    from weaviate.classes.query import Filter  # noqa: PLC0415

    numbers, sessions = [one.seq for one in facts], sorted({one.session for one in facts if one.session})
    parts = [Filter.by_property("seq").contains_any(numbers), between(facts[0].journal, min(numbers), max(numbers))]
    return Filter.all_of([*parts, of_sessions(sessions)] if sessions else parts)


def covered(forget: Forget) -> Any:
    """The filter of what a Forget covers (memory_facts.Forget.covers)."""
    from weaviate.classes.query import Filter  # noqa: PLC0415

    journal = Filter.by_property("journal")
    mine = Filter.all_of([journal.equal(forget.journal), Filter.by_property("seq").less_than(forget.seq)])
    others = Filter.all_of(
        [journal.not_equal(forget.journal), Filter.by_property("at_us").less_or_equal(forget.until_us)]
    )
    return Filter.all_of([Filter.by_property("session").equal(forget.session), Filter.any_of([mine, others])])


def of_session(session: str) -> Any:
    """The filter of all of a session."""
    from weaviate.classes.query import Filter  # noqa: PLC0415

    return Filter.by_property("session").equal(session)


def of_sessions(sessions: Sequence[str]) -> Any:
    """The filter of any of `sessions`."""
    from weaviate.classes.query import Filter  # noqa: PLC0415

    return Filter.by_property("session").contains_any(list(sessions))


def after(journal: str, seq: int) -> Any:
    """The filter of a journal's records after `seq`."""
    from weaviate.classes.query import Filter  # noqa: PLC0415

    return Filter.all_of([Filter.by_property("journal").equal(journal), Filter.by_property("seq").greater_than(seq)])
