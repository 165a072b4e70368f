"""Full text over the events in an SQLite file of its own (FTS5). Standard library only.

The index is contentless: the text is in the journal and in the ledger already, and a third copy would double the
file (docs/explanation/projection.md has the figures). A document's number is its place in the journal, so that
"newest first" is the order FTS5 reads in: a page of hits costs the same whether the word is rare or everywhere.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

from levaithan.stores import search_text
from levaithan.stores.dead import dead_letter_values
from levaithan.stores.roles import SEARCH, Cursor, Delivery, Hit, Rejected, SearchFilters, StoreDamagedError
from levaithan.stores.sqlite_file import translate
from levaithan.stores.sqlite_store import SqliteStore
from levaithan.stores.times import Times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from levaithan.stores.opening import Opening

VERSION = "1"
SEQ_BITS = 40
BLOCK_BITS = 10
_SCHEMA = (
    "CREATE VIRTUAL TABLE words USING fts5(text, tags, content='', columnsize=0, "
    "tokenize='unicode61 remove_diacritics 2')",
    "CREATE TABLE docs (number INTEGER PRIMARY KEY, id TEXT NOT NULL, at_us INTEGER NOT NULL)",
    "CREATE TABLE spans (block INTEGER PRIMARY KEY, low_us INTEGER NOT NULL, high_us INTEGER NOT NULL)",
    "CREATE TABLE journals (number INTEGER PRIMARY KEY, journal TEXT NOT NULL UNIQUE)",
    "CREATE TABLE cursors (store TEXT PRIMARY KEY, journal TEXT NOT NULL, segment TEXT NOT NULL, "
    '"offset" INTEGER NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, updated_us INTEGER NOT NULL)',
    'CREATE TABLE dead_letters (store TEXT, segment TEXT, "offset" INTEGER, journal TEXT NOT NULL, seq INTEGER, '
    "id TEXT, tool_use_id TEXT, reason TEXT NOT NULL, attempts INTEGER NOT NULL, first_us INTEGER NOT NULL, "
    'last_us INTEGER NOT NULL, PRIMARY KEY (store, segment, "offset"))',
    "INSERT INTO words (words, rank) VALUES ('hashsize', 8388608)",
    f"PRAGMA user_version = {VERSION}",
)
_SPAN = (
    "INSERT INTO spans VALUES (?, ?, ?) ON CONFLICT (block) DO UPDATE SET "
    "low_us = min(low_us, excluded.low_us), high_us = max(high_us, excluded.high_us)"
)
_DEAD = (
    'INSERT INTO dead_letters (store, segment, "offset", journal, seq, id, tool_use_id, reason, attempts, first_us, '
    "last_us) VALUES (:store, :segment, :offset, :journal, :seq, :id, :tool_use_id, :reason, :attempts, :first_us, "
    ':last_us) ON CONFLICT (store, segment, "offset") DO UPDATE SET attempts = attempts + 1, '
    "last_us = excluded.last_us, reason = excluded.reason"
)

_FIND = (
    "SELECT docs.id, docs.number, docs.at_us FROM words CROSS JOIN docs ON docs.number = words.rowid "
    "WHERE words MATCH :match AND words.rowid BETWEEN :low AND :high {times}"
    "ORDER BY words.rowid DESC LIMIT :limit"
)
"""CROSS JOIN holds SQLite to this order: the index first, newest first, and only then the documents."""


class SqliteSearch(SqliteStore):
    """The Search role on FTS5."""

    name = SEARCH
    rereads = False  # a document's number is its place in the journal: another journal's would be in the way
    counted = "SELECT count(*) * 1024 FROM spans"

    def __init__(self, path: str, max_field: int = 1 << 20) -> None:
        super().__init__(path, max_field)
        self._link: sqlite3.Connection | None = None
        self._link_of: tuple[int, int] | None = None
        self._journals: dict[str, int] = {}

    def version(self) -> str | None:
        """See SqliteStore."""
        if not self.file.exists():
            return None
        found = str(self.rows("PRAGMA user_version")[0][0])
        return "" if found == "0" else found

    def current(self) -> bool:
        """See SqliteStore."""
        return self.version() == VERSION

    def migrate(self) -> None:
        """Make the schema. An index of another version is dropped: it is made again from the journal in minutes."""
        present = self.version()
        if present == VERSION:
            return
        if present is not None:
            if present == "" and self.rows("SELECT 1 FROM sqlite_master LIMIT 1"):
                raise StoreDamagedError(store=SEARCH, path=self.file.path, reason="it has tables but no version")
            self.found.append(f"the search index was of version {present or 'none'}: made again from the journal")
            self.close()
            self.file.remove()
        link = self.file.connect(write=True)
        try:
            link.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                link.execute(statement)
            link.execute("COMMIT")
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self.file.wrap(error) from error
        finally:
            link.close()

    def _write_link(self) -> sqlite3.Connection:
        if self._link is not None and self.file.identity() != self._link_of:
            self._link.close()
            self._link = None
        if self._link is None:
            self.migrate()
            self._link = self.file.connect(write=True)
            self._link_of = self.file.identity()
            self._journals = dict(self._link.execute("SELECT journal, number FROM journals").fetchall())
        return self._link

    def apply(self, batch: Sequence[Delivery], cursor: Cursor) -> list[Rejected]:
        """See roles.Projected."""
        return self._apply(batch, cursor)

    def put_again(self, batch: Sequence[Delivery]) -> list[Rejected]:
        """See roles.Projected."""
        return self._apply(batch, None)

    def _apply(self, batch: Sequence[Delivery], cursor: Cursor | None) -> list[Rejected]:
        try:
            link = self._write_link()
            link.execute("BEGIN IMMEDIATE")
            try:
                rejected = self._put(link, batch)
                self._set_aside(link, batch, rejected)
                if cursor is not None:
                    link.execute(
                        "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?, ?, ?)",
                        (SEARCH, cursor.journal, cursor.segment, cursor.offset, cursor.seq, cursor.hash,
                         time.time_ns() // 1000),
                    )  # fmt: skip
                link.execute("COMMIT")
            except BaseException:
                if link.in_transaction:
                    link.execute("ROLLBACK")
                self._link_of = None  # opened anew: the numbers of new journals went with the transaction
                raise
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise translate(SEARCH, self.file.path, error) or self.file.wrap(error) from error
        return rejected

    def _number(self, link: sqlite3.Connection, journal: str) -> int:
        number = self._journals.get(journal)
        if number is None:
            number = len(self._journals) + 1
            link.execute("INSERT INTO journals VALUES (?, ?)", (number, journal))
            self._journals[journal] = number
        return number << SEQ_BITS

    def _put(self, link: sqlite3.Connection, batch: Sequence[Delivery]) -> list[Rejected]:
        rejected: list[Rejected] = []
        docs: dict[int, tuple[int, str, int]] = {}
        words: dict[int, tuple[int, str, str]] = {}
        times = Times()
        for delivery in batch:
            record = delivery.record
            if record is None:
                rejected.append(Rejected(delivery, delivery.problem or "no record"))
                continue
            if record.get("kind") != "event":
                continue
            try:
                number = self._number(link, delivery.journal) | delivery.seq
                docs[number] = (number, search_text.clean(record["id"]), times.us(record["at"]))
                text = search_text.text_of(record)
                if delivery.problem or b"\\u0000" in delivery.body:
                    text = search_text.clean(text)
                words[number] = (number, text, search_text.tags_of(record))
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
                docs.pop(number, None)
                rejected.append(Rejected(delivery, f"not a record of format 1: {type(error).__name__}: {error}"))
        if docs:
            span = (min(docs), max(docs))
            for (known,) in link.execute("SELECT number FROM docs WHERE number BETWEEN ? AND ?", span).fetchall():
                docs.pop(known, None)
                words.pop(known, None)
            link.executemany("INSERT INTO docs VALUES (?, ?, ?)", docs.values())
            link.executemany("INSERT INTO words (rowid, text, tags) VALUES (?, ?, ?)", words.values())
            link.executemany(_SPAN, _spans(docs.values()))
        return rejected

    def _set_aside(self, link: sqlite3.Connection, batch: Sequence[Delivery], rejected: list[Rejected]) -> None:
        refused = {(one.delivery.segment, one.delivery.offset) for one in rejected}
        waiting = link.execute('SELECT segment, "offset" FROM dead_letters').fetchall()
        if waiting:
            tried = {(one.segment, one.offset) for one in batch}
            link.executemany(
                'DELETE FROM dead_letters WHERE segment = ? AND "offset" = ?',
                [place for place in waiting if place in tried and place not in refused],
            )
        link.executemany(_DEAD, [dead_letter_values(SEARCH, one) for one in rejected])

    def expected(self, delivery: Delivery) -> str | None:
        """See roles.Projected. The text itself is not kept (the index is contentless), so the id has to do."""
        record = delivery.record
        return search_text.clean(record["id"]) if record and record.get("kind") == "event" else None

    def fingerprints(self, first: int, last: int) -> dict[int, str]:
        """See roles.Projected."""
        if not self.current():
            return {}
        (number,) = self.rows("SELECT coalesce(max(number), 0) FROM journals")[0]
        base, mask = number << SEQ_BITS, (1 << SEQ_BITS) - 1
        found = self.rows(
            "SELECT number, id FROM docs WHERE number BETWEEN :low AND :high",
            {"low": base | first, "high": base | last},
        )
        return {one & mask: id_ for one, id_ in found}

    def find(
        self,
        query: str,
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        filters: SearchFilters | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> list[Hit]:
        """See roles.Search. Raises StoreError only for a store that is damaged or down, never for what was asked."""
        wanted = filters or SearchFilters()
        pairs = (("s", wanted.session), ("t", wanted.tool), ("e", wanted.event))
        match = search_text.match_of(query, [search_text.tag(kind, value) for kind, value in pairs if value])
        if match is None or not self.current():
            return []
        values: dict[str, Any] = {"match": match, "limit": limit, "low": 0, "high": (before or 1 << 62) - 1}
        times = ""
        if since_us is not None or until_us is not None:
            values |= {"since": since_us or 0, "until": until_us if until_us is not None else 1 << 62}
            span = "SELECT min(block), max(block) FROM spans WHERE high_us >= :since AND low_us < :until"
            low, high = self.rows(span, values)[0]
            if low is None:
                return []
            values["low"] = low << BLOCK_BITS
            values["high"] = min(values["high"], ((high + 1) << BLOCK_BITS) - 1)
            times = "AND docs.at_us >= :since AND docs.at_us < :until "
        found = self.rows(_FIND.format(times=times), values)
        return [Hit(one, number & ((1 << SEQ_BITS) - 1), at_us, number) for one, number, at_us in found]

    def close(self) -> None:
        """See roles.Projected."""
        super().close()
        if self._link is not None:
            self._link.close()
            self._link = None


def _spans(docs: Any) -> list[tuple[int, int, int]]:
    """The earliest and latest time of each block of documents: a window of time becomes a range of numbers."""
    spans: dict[int, tuple[int, int]] = {}
    for number, _, at_us in docs:
        block = number >> BLOCK_BITS
        low, high = spans.get(block, (at_us, at_us))
        spans[block] = (min(low, at_us), max(high, at_us))
    return [(block, low, high) for block, (low, high) in sorted(spans.items())]


def opened(opening: Opening) -> SqliteSearch:
    """The adapter, as the registry asks for it."""
    return SqliteSearch(opening.path, opening.max_field)
