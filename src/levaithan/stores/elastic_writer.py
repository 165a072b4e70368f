"""Puts events into the data stream, each once, however often they are delivered.

A data stream takes `create` only, and an id is unique only in one of its indices: after a rollover the same event could
be put again. So what may be there already is looked for first. That is known by a number: events of a journal come in
the order of their numbers, and those beyond the highest one that is stored cannot be there. Only what is delivered
again (after a crash, a lost answer, a restored server) is looked for. When an answer was lost, what was sent may still
be put after the look; so it is looked again afterwards, and of doubles the later one goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from levaithan.stores import elastic_queries as queries
from levaithan.stores.elastic_documents import DocumentError, document
from levaithan.stores.elastic_link import failure
from levaithan.stores.roles import Rejected
from levaithan.stores.times import Times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from elasticsearch import Elasticsearch

    from levaithan.stores.elastic_setup import Stream
    from levaithan.stores.opening import Opening
    from levaithan.stores.roles import Delivery

LARGEST_REQUEST = 8 << 20
_PAGE = 5_000
_ANSWER = "errors,items.*.status,items.*.error.type,items.*.error.reason"
_POISON = frozenset({400, 413})
"""Statuses of an item that its data is to blame for."""
Found = dict[str, Any]
"""A hit of a search: _index, _id, and what was asked for of it."""


class Doc(NamedTuple):
    """A document: its id, itself, as JSON, and what it was made of."""

    id: str
    source: dict[str, Any]
    packed: bytes
    delivery: Delivery


class Writer:
    """Writes one stream. After a failure of any call `forget` makes it look again what is stored."""

    def __init__(self, client: Elasticsearch, stream: Stream, opening: Opening) -> None:
        self.client = client
        self.stream = stream
        self.opening = opening
        self.rewriting_from: int | None = None
        """While a journal is rewritten: the number up to which that is done."""
        # A server that waits for its master or a shard says so before we stop listening.
        self._patience = f"{max(1, round(opening.timeout_s * 500))}ms"
        self._highest: dict[str, int] = {}
        self._shaken = True  # the process before may have sent what is only being put now

    def forget(self) -> None:
        """Something failed, or another process may have written: what is stored is not known any more."""
        self._highest.clear()
        self._shaken = True

    def put(self, batch: Sequence[Delivery], *, rewriting: bool = False) -> tuple[list[Rejected], Doc | None]:
        """Put the events of `batch`, `rewriting` over what is stored: what cannot be put, and the last document.

        Raises StoreError and the client's errors.
        """
        docs, rejected = _documents(batch)
        if rewriting and self.rewriting_from is not None:
            numbers = [one.seq for one in batch if one.seq]
            rejected += self._rewrite(docs, self.rewriting_from or min(numbers, default=1), max(numbers, default=0))
        else:
            shaken, known = self._shaken, self._known(docs)
            rejected += self._create([one for one in docs if one.id not in known])
            if shaken:
                self._undouble([one.id for one in docs])
                self._shaken = False
        for one in docs:
            self._highest[one.delivery.journal] = max(self._highest.get(one.delivery.journal, 0), one.delivery.seq)
        return rejected, docs[-1] if docs else None

    def _known(self, docs: list[Doc]) -> set[str]:
        """Which of `docs` are stored."""
        for journal in {one.delivery.journal for one in docs}:
            if journal not in self._highest:
                self._highest[journal] = self._stored_to(journal)
        doubtful = [one.id for one in docs if one.delivery.seq <= self._highest[one.delivery.journal]]
        return {hit["_id"] for hit in self.there(doubtful)} if doubtful else set()

    def _stored_to(self, journal: str) -> int:
        """The highest number of `journal` that is stored; 0 for none."""
        self.client.indices.refresh(index=self.stream.events, ignore_unavailable=True)
        asked = {"highest": {"max": {"field": "seq"}}}
        found = self._ask(query=queries.of_journal(journal), aggs=asked)["aggregations"]["highest"]["value"]
        return int(found or 0)

    def there(self, ids: Sequence[str], **more: Any) -> list[Found]:
        """The documents of these ids: one that was put twice is there twice."""
        self.client.indices.refresh(index=self.stream.events, ignore_unavailable=True)
        found: list[Found] = []
        for begin in range(0, len(ids), _PAGE):
            asked = queries.there(list(ids[begin : begin + _PAGE]))
            found += self._ask(query=asked, size=10_000, source=False, **more)["hits"]["hits"]
        return found

    def _ask(self, **asked: Any) -> dict[str, Any]:
        # What a part of the shards says is not enough to tell that an event is not there.
        asked = {"size": 0, "track_total_hits": False, "allow_partial_search_results": False, **asked}
        answer: dict[str, Any] = self.client.search(index=self.stream.events, ignore_unavailable=True, **asked).body
        if answer.get("aggregations") is None:
            answer["aggregations"] = {name: {"value": None} for name in asked.get("aggs", {})}
        return answer

    def _undouble(self, ids: list[str]) -> None:
        """Remove the later ones of documents that are in two indices of the stream."""
        first: dict[str, Found] = {}
        doubles = []
        for hit in sorted(self.there(ids), key=lambda one: str(one["_index"])):
            doubles += [hit] if first.setdefault(hit["_id"], hit) is not hit else []
        self.remove(doubles)

    def remove(self, hits: Sequence[Found]) -> None:
        """Remove these documents, wherever in the stream they are."""
        self._send([[_line({"delete": {"_index": one["_index"], "_id": one["_id"]}})] for one in hits], None)

    def _create(self, docs: list[Doc]) -> list[Rejected]:
        lines = [[_line({"create": {"_id": one.id}}), one.packed] for one in docs]
        return self._send(lines, [one.delivery for one in docs])

    def _rewrite(self, docs: list[Doc], first: int, last: int) -> list[Rejected]:
        """Put what is missing, replace what differs, remove what claims a number from `first` to `last` and is not of
        them. What has a lower number stays: it was pruned from the journal."""
        window = queries.of_journal(self.opening.journal, first, last)
        wanted = {one.id: one for one in docs}
        there: dict[str, Found] = {}
        surplus: list[Found] = []
        for hit in self.every(queries.there(list(wanted), window), seq_no_primary_term=True):
            known = there.setdefault(hit["_id"], hit)
            if hit["_id"] not in wanted or known is not hit:
                surplus.append(hit)
        rejected = self._create([one for one in docs if one.id not in there])
        other = [one for one in docs if one.id in there and there[one.id]["_source"] != one.source]
        rejected += self._send([_replace(one, there[one.id]) for one in other], [one.delivery for one in other])
        self.remove(surplus)
        self.rewriting_from = max(first, last + 1)
        return rejected

    def every(self, query: Found, *, source: bool = True, **more: Any) -> Iterator[Found]:
        """Every document that `query` finds, of one moment, by number (point in time and `search_after`)."""
        self.client.indices.refresh(index=self.stream.events, ignore_unavailable=True)
        opened = self.client.open_point_in_time(index=self.stream.events, keep_alive="1m", ignore_unavailable=True)
        pit, after = opened["id"], None
        try:
            while True:
                answer = self.client.search(
                    pit={"id": pit, "keep_alive": "1m"}, query=query, size=_PAGE, sort=[{"seq": "asc"}],
                    source=source, search_after=after, track_total_hits=False,
                    allow_partial_search_results=False, **more,
                )  # fmt: skip
                pit, hits = answer.get("pit_id", pit), answer["hits"]["hits"]
                yield from hits
                if len(hits) < _PAGE:
                    return
                after = hits[-1]["sort"]
        finally:
            self.client.options(ignore_status=404).close_point_in_time(id=pit)

    def _send(self, operations: Sequence[list[bytes]], whose: Sequence[Delivery] | None) -> list[Rejected]:
        """Send operations in requests of bounded size. `whose` they are (None: removals); what is to blame itself."""
        rejected: list[Rejected] = []
        lines: list[bytes] = []
        size = done = 0
        for sent, operation in enumerate(operations, 1):
            lines += operation
            size += sum(map(len, operation))
            if size >= LARGEST_REQUEST or sent == len(operations):
                rejected += self._bulk(lines, whose[done:sent] if whose is not None else None)
                lines, size, done = [], 0, sent
        return rejected

    def _bulk(self, lines: list[bytes], whose: Sequence[Delivery] | None) -> list[Rejected]:
        packed: Any = lines  # the client passes bytes on as they are
        # What names its own index replaces or removes; a new event never makes an index that is no data stream's.
        answer = self.client.bulk(
            index=self.stream.events,
            operations=packed,
            filter_path=_ANSWER,
            timeout=self._patience,
            require_data_stream=b'"_index"' not in lines[0],
        )
        if not answer["errors"]:
            return []
        rejected = []
        for number, item in enumerate(answer["items"]):
            ((operation, said),) = item.items()
            status, error = said["status"], said.get("error") or {}
            if status < 300 or (status == 409 and operation == "create") or (status == 404 and operation == "delete"):
                continue
            kind, why = str(error.get("type", "")), f"{error.get('type')}: {error.get('reason')}"
            if status in _POISON and whose is not None:
                rejected.append(Rejected(whose[number], why[:500]))
            else:
                raise failure(self.opening, status, kind, f"HTTP {status} for an event: {why}"[:300])
        return rejected


def _documents(batch: Sequence[Delivery]) -> tuple[list[Doc], list[Rejected]]:
    """The documents of a batch, each id once, and what none can be made of."""
    docs: dict[str, Doc] = {}
    rejected = []
    times = Times()
    for delivery in batch:
        try:
            made = document(delivery, times)
            if made is not None:
                docs[made[0]] = Doc(*made, _line(made[1]), delivery)
        except (DocumentError, orjson.JSONEncodeError) as error:
            rejected.append(Rejected(delivery, str(error)))
    return list(docs.values()), rejected


def _line(value: Any) -> bytes:
    return orjson.dumps(value)


def _replace(doc: Doc, found: Found) -> list[bytes]:
    """In the index where it is, and only if nobody changed it meanwhile."""
    where = {"_index": found["_index"], "_id": doc.id}
    unchanged = {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
    return [_line({"index": where | unchanged}), doc.packed]
