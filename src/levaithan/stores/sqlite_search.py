"""Full text over the events in an SQLite file of its own (FTS5). Standard library only.

The index is contentless: the text is in the journal and in the ledger already, and a third copy would double the
file (docs/explanation/projection.md has the figures). A document's number is its place in the journal, so that
"newest first" is the order FTS5 reads in: a page of hits costs the same whether the word is rare or everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.stores import search_text
from levaithan.stores.roles import SEARCH, Delivery, Hit, Rejected, SearchFilters
from levaithan.stores.sqlite_index import SqliteIndex
from levaithan.stores.times import Times

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from levaithan.stores.opening import Opening

SEQ_BITS = 40
BLOCK_BITS = 10
_SCHEMA = (
    "CREATE VIRTUAL TABLE words USING fts5(text, tags, content='', columnsize=0, "
    "tokenize='unicode61 remove_diacritics 2')",
    "CREATE TABLE docs (number INTEGER PRIMARY KEY, id TEXT NOT NULL, at_us INTEGER NOT NULL)",
    "CREATE TABLE spans (block INTEGER PRIMARY KEY, low_us INTEGER NOT NULL, high_us INTEGER NOT NULL)",
    "CREATE TABLE journals (number INTEGER PRIMARY KEY, journal TEXT NOT NULL UNIQUE)",
    "INSERT INTO words (words, rank) VALUES ('hashsize', 8388608)",
)
_SPAN = (
    "INSERT INTO spans VALUES (?, ?, ?) ON CONFLICT (block) DO UPDATE SET "
    "low_us = min(low_us, excluded.low_us), high_us = max(high_us, excluded.high_us)"
)
_FIND = (
    "SELECT docs.id, docs.number, docs.at_us FROM words CROSS JOIN docs ON docs.number = words.rowid "
    "WHERE words MATCH :match AND words.rowid BETWEEN :low AND :high {times}"
    "ORDER BY words.rowid DESC LIMIT :limit"
)
"""CROSS JOIN holds SQLite to this order: the index first, newest first, and only then the documents."""


class SqliteSearch(SqliteIndex):
    """The Search role on FTS5."""

    name = SEARCH
    schema_version = "1"
    schema = _SCHEMA
    counted = "SELECT count(*) * 1024 FROM spans"

    def began(self, link: sqlite3.Connection) -> None:
        """The numbers of the journals it knows."""
        self._journals = dict(link.execute("SELECT journal, number FROM journals").fetchall())

    def _number(self, link: sqlite3.Connection, journal: str) -> int:
        number = self._journals.get(journal)
        if number is None:
            number = len(self._journals) + 1
            link.execute("INSERT INTO journals VALUES (?, ?)", (number, journal))
            self._journals[journal] = number
        return number << SEQ_BITS

    def put(self, link: sqlite3.Connection, batch: Sequence[Delivery]) -> list[Rejected]:
        """See SqliteIndex."""
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
