"""The Search role on Elasticsearch: a data stream that all machines write to, each its own journal.

The server has no transaction over documents: the events come first, what cannot be put next (stores.letters, on this
machine), the cursor last. Whatever is lost between two of these is delivered again, and put once (elastic_writer).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from levaithan.errors import StoreError
from levaithan.stores import elastic_health, elastic_link
from levaithan.stores import elastic_queries as queries
from levaithan.stores.edge import Edge
from levaithan.stores.elastic_documents import DocumentError, document, fingerprint
from levaithan.stores.elastic_place import Place
from levaithan.stores.elastic_questions import Questions
from levaithan.stores.elastic_setup import SCHEMA, Stream
from levaithan.stores.elastic_writer import Writer
from levaithan.stores.in_place import InPlace
from levaithan.stores.letters import Letters
from levaithan.stores.roles import (
    SEARCH,
    Cursor,
    DeadLetter,
    Delivery,
    Health,
    Rejected,
    StoreAuthError,
    StoreUnsupportedError,
)
from levaithan.stores.times import Times

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from levaithan.stores.elastic_writer import Doc
    from levaithan.stores.opening import Opening

Answer = TypeVar("Answer")
DOUBTED_US = 86_400_000_000
"""How young the last event that a cursor speaks of must be to be missed: what is older may be past `keep_days`."""


class ElasticSearch(InPlace, Questions):
    """The adapter. Not for two threads at once; any number of processes may ask."""

    name = SEARCH
    remote = True
    shared = True
    rereads = True

    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self.journal = opening.journal
        self.max_field = opening.max_field
        self.stream = Stream(opening)
        self.found = self.stream.found
        self.edge = Edge(
            SEARCH, opening.where, elastic_link.translator(opening), timeout_s=opening.timeout_s, logs=opening.logs
        )
        self.letters = Letters(opening.state, SEARCH)
        self._client: Any = None
        self._writer: Writer | None = None
        self._made = False
        self._kept = False
        self._place = Place(lambda: self.client, self.stream.cursors)
        self._doubted = False
        self._asked_s = 0.0

    def __repr__(self) -> str:
        return f"ElasticSearch({self.opening.where})"

    @property
    def client(self) -> Any:
        """The client; made with the first call. Raises NotConfigured, StoreTlsError."""
        if self._client is None:
            self._client = elastic_link.client(self.opening)
        return self._client

    @property
    def writer(self) -> Writer:
        """What writes; it remembers what is stored."""
        if self._writer is None:
            self._writer = Writer(self.client, self.stream, self.opening)
        return self._writer

    def call(self, ask: Callable[[], Answer], *, again: bool = True) -> Answer:
        """What `ask` answers (see Edge). After a failure nothing that was known of the server is believed."""
        try:
            return self.edge.call(ask, again=again)
        except BaseException:
            self._made = self._doubted = False
            self.writer.forget()
            raise

    # How far it is

    def current(self) -> bool:
        """See roles.Projected."""
        if not self._made:
            self._made = self.call(lambda: self.stream.version(self.client)) == SCHEMA
        return self._made

    def check_version(self) -> None:
        """See roles.Projected."""
        self.stream.check(self.call(lambda: self.stream.version(self.client)))

    def migrate(self) -> None:
        """See roles.Projected. Raises StoreError; it is made again at the next call then."""
        if not self._made:
            present = self.call(lambda: self.stream.version(self.client))
            self.stream.check(present)
            if present != SCHEMA:
                self.call(lambda: self.stream.make(self.client, present))
                if present:
                    self.found.append(f"the search's mapping was of version {present}: brought to {SCHEMA}")
        self._keep()
        self._made = True

    def _keep(self) -> None:
        """Once an opening: `keep_days` may be another than when the schema was made. A user of daily work may not tell
        the server so, and goes on working; that it is not in force is said."""
        if self._kept:
            return
        try:
            words = self.call(lambda: self.stream.keep(self.client))
        except StoreAuthError as error:
            told = f"keep_days={self.stream.keep_days} is not in force on the server, which was told {self.stream.kept}"
            words = f"{told}: run `levaithan store migrate search` as a user who may set it up ({error})"
            words = "" if self.stream.kept is None else words  # it may be in force, only nobody has noted it
        if words:
            self.found.append(words)
        self._kept = True

    def heal(self) -> bool:
        """See roles.Projected. A server looks after its own files; what is missing of the schema is made."""
        self.migrate()
        return False

    def cursor(self) -> Cursor | None:
        """See roles.Projected. None also where the last event that it speaks of is not there: the events were restored
        from an older copy than the cursor."""
        if not self.current():
            return None
        before = self._place.left_at
        cursor = self.call(lambda: self._place.read(self.journal))
        if cursor is None:
            return None
        if cursor != before:
            self.writer.forget()
        if not self._doubted and self._missed(self._place.last):
            self.found.append("the server lacks the last event of its cursor: the journal is read from its start")
            return None
        self._doubted = True
        return cursor

    def _missed(self, last: dict[str, Any]) -> bool:
        """Whether the last event before the cursor is not there, and is too young to have been dropped."""
        if not last or last["last_us"] < time.time_ns() // 1000 - DOUBTED_US:
            return False
        return not self.call(lambda: self.writer.there([last["last_id"]]))

    # Writing

    def apply(self, batch: Sequence[Delivery], cursor: Cursor) -> list[Rejected]:
        """See roles.Projected: in this order, not in one transaction."""
        rejected, last = self._put(batch, rewriting=True)
        self.call(lambda: self._place.write(cursor, last))
        self._keep_house()
        return rejected

    def _keep_house(self) -> None:
        """What fails here is told by health and tried again later: the events are in their place already."""
        try:
            self.call(lambda: self.stream.keep_house(self.client))
        except StoreError as error:
            if (words := f"old indices could not be looked after: {error}") not in self.found:
                self.found.append(words)

    def put_again(self, batch: Sequence[Delivery]) -> list[Rejected]:
        """See roles.Projected."""
        return self._put(batch, rewriting=False)[0]

    def _put(self, batch: Sequence[Delivery], *, rewriting: bool) -> tuple[list[Rejected], Doc | None]:
        self.migrate()

        def send() -> tuple[list[Rejected], Doc | None]:
            try:
                return self.writer.put(batch, rewriting=rewriting)
            except BaseException:
                self.writer.forget()  # before the next try: an answer may have been lost
                raise

        rejected, last = self.call(send)
        self.wrote()
        self.letters.note(batch, rejected)
        return rejected, last

    def rewrite_begin(self) -> None:
        """See roles.Shared."""
        self._forget_cursor()
        self.letters.clear(self.journal)
        self.writer.rewriting_from = 0

    def rewrite_end(self, last: int) -> None:
        """See roles.Shared."""
        self._remove(last + 1)
        self.writer.rewriting_from = None

    def drop_all(self) -> None:
        """Remove all of this object's journal; what others have put stays."""
        self.migrate()
        self._forget_cursor()
        self._remove(None)
        self.letters.clear(self.journal)

    def _forget_cursor(self) -> None:
        self.call(lambda: self._place.forget(self.journal))
        self.writer.forget()

    def _remove(self, first: int | None) -> None:
        """Remove the documents of this journal from number `first` on."""

        def remove() -> None:
            found = list(self.writer.every(queries.of_journal(self.journal, first), source=False))
            self.writer.remove(found)

        self.call(remove)
        self.wrote()

    # What it holds

    def dead_letters(self, limit: int = 1000) -> list[DeadLetter]:
        """See roles.Projected."""
        return self.letters.list(self.journal, limit)

    def dead_count(self) -> int:
        """See roles.Projected."""
        return self.letters.count(self.journal)

    def expected(self, delivery: Delivery) -> str | None:
        """See roles.Projected."""
        if delivery.record is None:
            return None
        try:
            made = document(delivery, Times())
        except DocumentError:
            return ""  # a dead letter: nothing is stored of it
        return fingerprint(*made) if made else None

    def fingerprints(self, first: int, last: int) -> dict[int, str]:
        """See roles.Projected. Of two documents with one number both are said, which is what no record is expected to
        be."""
        if not self.current():
            return {}

        def ask() -> dict[int, str]:
            found: dict[int, str] = {}
            for hit in self.writer.every(queries.of_journal(self.journal, first, last)):
                seq, said = hit["_source"]["seq"], fingerprint(hit["_id"], hit["_source"])
                found[seq] = f"{found[seq]} and {said}" if seq in found else said
            return found

        return self.call(ask)

    def health(self) -> Health:
        """See roles.Projected."""
        return elastic_health.health(self)

    def close(self) -> None:
        """See roles.Projected."""
        if self._client is not None:
            self._client.close()
        self._client = self._writer = None
        self._made = self._kept = self._doubted = False

    def _never(self, what: str) -> NoReturn:
        words = elastic_link.told(self.opening, f"it cannot {what}")
        raise StoreUnsupportedError(
            **words, fix="restore the indices from a snapshot, or run `levaithan store rebuild search`"
        )


def opened(opening: Opening) -> ElasticSearch:
    """The adapter, as the registry asks for it."""
    return ElasticSearch(opening)
