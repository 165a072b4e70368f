"""What is put into Weaviate and removed from it: functions over a connected client. Objects are put by an id that is
made of the record's, so that a record put twice is one object."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from levaithan.stores import weaviate_asking as asking
from levaithan.stores import weaviate_schema as schema
from levaithan.stores.roles import MEMORY, Cursor, StoreBusyError
from levaithan.stores.weaviate_errors import of_server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from levaithan.stores.memory_facts import Forget
    from levaithan.stores.weaviate_schema import Names

Row = tuple[str, str, dict[str, Any], list[float] | None]
"""(collection, id of the record, properties, vector)"""


def put(client: Any, rows: Sequence[Row]) -> dict[str, str]:
    """Put objects, those that are there already again; id of the record -> why it was refused for what it holds.
    Raises StoreBusyError when the server refused for its own state."""
    from weaviate.classes.data import DataObject  # noqa: PLC0415 - the driver is loaded with a call
    from weaviate.exceptions import WeaviateInsertManyAllFailedError  # noqa: PLC0415

    refused: dict[str, str] = {}
    for name in sorted({row[0] for row in rows}):
        some = [row for row in rows if row[0] == name]
        objects = [DataObject(uuid=schema.object_id(one), properties=held, vector=made) for _, one, held, made in some]
        data = client.collections.use(name).data
        try:
            errors = {at: error.message for at, error in data.insert_many(objects).errors.items()}
        except WeaviateInsertManyAllFailedError as error:
            if len(some) > 1 and not of_server(str(error)):
                for row in some:
                    refused |= put(client, [row])
                continue
            errors = dict.fromkeys(range(len(some)), str(error))
        for at, words in errors.items():
            if of_server(words):
                raise StoreBusyError(store=MEMORY, reason=f"the server took nothing: {words[:200]}")
            refused[some[at][1]] = f"Weaviate refuses it: {words[:200]}"
    return refused


def clear(client: Any, objects: Sequence[tuple[str, str]]) -> None:
    """Remove (collection, id of the record) by their ids, those that are there: no filter finds what is half there."""
    for name, one in objects:
        client.collections.use(name).data.delete_by_id(schema.object_id(one))


def put_all(client: Any, rows: Sequence[Row]) -> None:
    """Put objects of our own making, none of which may be refused."""
    refused = put(client, rows)
    if refused:
        raise StoreBusyError(store=MEMORY, reason=next(iter(refused.values())))


def place(client: Any, names: Names, cursor: Cursor) -> None:
    """Write down how far a journal was read, over what was written down before."""
    held = {
        "journal": cursor.journal, "segment": cursor.segment, "offset": cursor.offset, "seq": cursor.seq,
        "hash": cursor.hash, "updated_us": time.time_ns() // 1000,
    }  # fmt: skip
    put_all(client, [(names.cursors, cursor.journal, held, None)])


def move(client: Any, names: Names, left: Cursor | None, cursor: Cursor) -> None:
    """Write down how far a journal was read, which was `left` before.

    Not over a place that went back: a server that was restored from an older copy since it was last seen, or lost a
    collection, would be skipped over what it lacks. Raises StoreBusyError then.
    """
    found = asking.place(client, names, cursor.journal) if left else None
    if left is not None and (found is None or found.seq < left.seq):
        raise StoreBusyError(
            store=MEMORY, reason="its place in the journal is before where it was left: it was restored from "
            "an older copy", fix="nothing to do: the place is read again and it goes on from there",
        )  # fmt: skip
    if left is None:
        unplace(client, names, cursor.journal)  # one that is there and is not found would stay so
    place(client, names, cursor)


def unplace(client: Any, names: Names, journal: str) -> None:
    """Forget how far `journal` was read."""
    clear(client, [(names.cursors, journal)])


def forget(client: Any, names: Names, forget: Forget) -> None:
    """Remove what `forget` covers, whatever model made the vectors."""
    for name in client.collections.list_all():
        if names.remember(name):
            remove(client, name, schema.covered(forget))


def remove(client: Any, name: str, where: Any) -> int:
    """Remove what `where` meets, some thousands at a time as the server allows; how many objects that were."""
    removed = 0
    while True:
        told = client.collections.use(name).data.delete_many(where=where)
        if told.failed:
            raise StoreBusyError(store=MEMORY, reason=f"{told.failed} objects could not be removed")
        removed += int(told.successful)
        if not told.matches:
            return removed
