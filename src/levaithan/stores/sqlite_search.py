"""Full text over the events in an SQLite file of its own (FTS5). Standard library only.

The index is contentless: the text is in the journal and in the ledger already, and a third copy would double the
file (docs/explanation/projection.md has the figures). A document's number is its place in the journal, so that
"newest first" is the order FTS5 reads in: a page of hits costs the same whether the word is rare or everywhere.
What is counted stands beside it in numbers: fields (roles.search.FIELDS) by `names`, what an event says by the hash of
its template, of which there may be nearly as many as events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.stores import search_text, sqlite_search_counts
from levaithan.stores.roles import FIELDS, SEARCH, Delivery, Hit, Pattern, Rejected, SearchFilters
from levaithan.stores.search_fields import KEYS, clean, fields_of, template_of
from levaithan.stores.search_words import words_of
from levaithan.stores.sqlite_index import SqliteIndex
from levaithan.stores.sqlite_search_counts import TEMPLATE, Asked, code_of
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
    "CREATE TABLE docs (number INTEGER PRIMARY KEY, id TEXT NOT NULL, at_us INTEGER NOT NULL, canary INTEGER NOT NULL, "
    f"{', '.join(f'{name} INTEGER' for name in (*FIELDS, TEMPLATE))})",
    "CREATE TABLE names (code INTEGER PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (kind, value))",
    "CREATE TABLE templates (code INTEGER PRIMARY KEY, value TEXT NOT NULL)",
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
    "WHERE words MATCH :match AND words.rowid BETWEEN :low AND :high {more}"
    "ORDER BY words.rowid DESC LIMIT :limit"
)
"""CROSS JOIN holds SQLite to this order: the index first, newest first, and only then the documents."""
_DOC = f"INSERT INTO docs VALUES ({', '.join('?' * (len(FIELDS) + 5))})"  # noqa: S608 - question marks
_NAMED = ", ".join(f"(SELECT value FROM names WHERE code = docs.{name})" for name in FIELDS)  # noqa: S608 - ours
_SAID = "(SELECT value FROM templates WHERE code = docs.template)"
_STORED = f"SELECT number, id, at_us, canary, {_NAMED}, {_SAID} FROM docs WHERE number BETWEEN :low AND :high"  # noqa: S608 - ours
_COUNTED = "SELECT CASE WHEN count(*) <= 256 THEN (SELECT count(*) FROM docs) ELSE count(*) * 1024 END FROM spans"
"""Counted up to 262,144 events (10 ms); of more, the blocks, each as if it were full."""
_MOST_NAMES = 20_000
"""Names, and groups of them, that are remembered between batches; few make up nearly all."""
_Coded = tuple[dict[str, str], list[int | None], str]
"""The fields of an event, their codes, their tags."""


class SqliteSearch(SqliteIndex):
    """The Search role on FTS5."""

    name = SEARCH
    schema_version = "2"
    schema = _SCHEMA
    counted = _COUNTED

    def began(self, link: sqlite3.Connection) -> None:
        """The numbers of the journals it knows."""
        self._journals = dict(link.execute("SELECT journal, number FROM journals").fetchall())
        self._codes: dict[tuple[str, str], int] = {}
        self._seen: dict[tuple[Any, ...], _Coded] = {}

    def _number(self, link: sqlite3.Connection, journal: str) -> int:
        number = self._journals.get(journal)
        if number is None:  # looked up in this transaction: another writer may have named one meanwhile
            self._journals = dict(link.execute("SELECT journal, number FROM journals").fetchall())
            number = self._journals.get(journal)
        if number is None:
            number = len(self._journals) + 1
            link.execute("INSERT INTO journals VALUES (?, ?)", (number, journal))
            self._journals[journal] = number
        return number << SEQ_BITS

    def _code(self, link: sqlite3.Connection, kind: str, value: str | None) -> int | None:
        """The number that `names` has for a value; a new one gets one."""
        if not value:
            return None
        code = self._codes.get((kind, value))
        if code is None:
            if len(self._codes) >= _MOST_NAMES:
                self._codes.clear()
            link.execute("INSERT OR IGNORE INTO names (kind, value) VALUES (?, ?)", (kind, value))
            found = link.execute("SELECT code FROM names WHERE kind = ? AND value = ?", (kind, value)).fetchone()
            code = self._codes[kind, value] = int(found[0])
        return code

    def _coded(self, link: sqlite3.Connection, record: dict[str, Any]) -> _Coded:
        """The fields of a record, their codes and tags. Events that follow each other mostly have the same."""
        key = tuple([record.get(name) for name in KEYS])
        try:
            known = self._seen.get(key)
        except TypeError:  # a list or an object where a text belongs
            key, known = (), None
        if known is None:
            fields = fields_of(record)
            codes = [self._code(link, name, fields.get(name)) for name in FIELDS]
            known = fields, codes, search_text.tags_of(fields)
            if len(self._seen) >= _MOST_NAMES:
                self._seen.clear()
            if key:
                self._seen[key] = known
        return known

    def put(self, link: sqlite3.Connection, batch: Sequence[Delivery]) -> list[Rejected]:
        """See SqliteIndex."""
        rejected: list[Rejected] = []
        docs: dict[int, tuple[Any, ...]] = {}
        words: dict[int, tuple[int, str, str]] = {}
        templates: dict[int, str] = {}
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
                fields, codes, tags = self._coded(link, record)
                text, said = search_text.text_and_said(record)
                if not text.isascii() or b"\\u0000" in delivery.body:
                    text = words_of(text)
                template = template_of(said, fields)
                code = code_of(template)
                templates[code] = template
                canary = 1 if record.get("canary") else 0
                docs[number] = (number, clean(record["id"]), times.us(record["at"]), canary, *codes, code)
                words[number] = (number, text, tags)
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
                docs.pop(number, None)
                rejected.append(Rejected(delivery, f"not a record of format 1: {type(error).__name__}: {error}"))
        if docs:
            span = (min(docs), max(docs))
            for (known,) in link.execute("SELECT number FROM docs WHERE number BETWEEN ? AND ?", span).fetchall():
                docs.pop(known, None)
                words.pop(known, None)
            link.executemany(_DOC, docs.values())
            link.executemany("INSERT OR IGNORE INTO templates VALUES (?, ?)", sorted(templates.items()))
            link.executemany("INSERT INTO words (rowid, text, tags) VALUES (?, ?, ?)", words.values())
            link.executemany(_SPAN, _spans(docs.values()))
        return rejected

    def expected(self, delivery: Delivery) -> str | None:
        """See roles.Projected. The text itself is not kept (the index is contentless); all that is beside it counts."""
        record = delivery.record
        if not record or record.get("kind") != "event":
            return None
        try:
            fields = fields_of(record)
            template = template_of(search_text.text_and_said(record)[1], fields)
            canary = 1 if record.get("canary") else 0
            values = [fields.get(name) for name in FIELDS]
            return repr((clean(record["id"]), Times().us(record["at"]), canary, *values, template))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            return ""  # a dead letter: nothing is stored of it

    def fingerprints(self, first: int, last: int) -> dict[int, str]:
        """See roles.Projected."""
        if not self.current():
            return {}
        (number,) = self.rows("SELECT coalesce(max(number), 0) FROM journals")[0]
        base, mask = number << SEQ_BITS, (1 << SEQ_BITS) - 1
        last = min(last, mask)
        found = self.rows(_STORED, {"low": base | first, "high": base | last})
        return {one & mask: repr(values) for one, *row in found if (values := tuple(row))}

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
        if not search_text.parts_of(query) or not self.current():
            return []
        asked = self._asked(query, since_us, until_us, filters)
        if asked is None or asked.match is None:
            return []
        values = asked.values | {"limit": limit, "high": min(asked.high, (before or 1 << 62) - 1)}
        found = self.rows(_FIND.format(more=asked.more), values)
        return [Hit(one, number & ((1 << SEQ_BITS) - 1), at_us, number) for one, number, at_us in found]

    def histogram(
        self,
        query: str = "",
        *,
        interval_s: int,
        since_us: int | None = None,
        until_us: int | None = None,
        filters: SearchFilters | None = None,
        limit: int = 1000,
    ) -> list[tuple[int, int]]:
        """See roles.Search."""
        sql = sqlite_search_counts.HISTOGRAM
        step, most = sqlite_search_counts.interval(interval_s), sqlite_search_counts.buckets(limit)
        asked = self._asked(query, since_us, until_us, filters) if self.current() else None
        found = self.rows(asked.sql(sql), asked.values | {"step": step, "limit": most}) if asked else []
        return sorted((start, count) for start, count in found)

    def top(
        self,
        field: str,
        query: str = "",
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        filters: SearchFilters | None = None,
        limit: int = 20,
    ) -> list[tuple[str, int]]:
        """See roles.Search."""
        sql = sqlite_search_counts.top(field)
        asked = self._asked(query, since_us, until_us, filters) if self.current() else None
        return (
            [(one, count) for one, count in self.rows(asked.sql(sql), asked.values | {"limit": limit})] if asked else []
        )

    def patterns(
        self,
        query: str = "",
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        filters: SearchFilters | None = None,
        limit: int = 20,
    ) -> list[Pattern]:
        """See roles.Search."""
        asked = self._asked(query, since_us, until_us, filters) if self.current() else None
        return sqlite_search_counts.patterns(self.rows, asked, limit) if asked else []

    def _asked(
        self, query: str, since_us: int | None, until_us: int | None, filters: SearchFilters | None
    ) -> Asked | None:
        """What is asked, as SQL; None where nothing can be found. A window of time becomes a range of numbers."""
        wanted = filters or SearchFilters()
        match = search_text.match_of(query, search_text.tags_for(wanted))
        if match is None and query.strip():
            return None
        asked = Asked(match, {"low": 0, "high": (1 << 62) - 1} | ({"match": match} if match else {}))
        if wanted.canary is not None:
            asked.more += "AND docs.canary = :canary "
            asked.values["canary"] = int(wanted.canary)
        if wanted.part is not None:
            asked.only(wanted.part, SEQ_BITS)
        if since_us is not None or until_us is not None:
            asked.values |= {"since": since_us or 0, "until": until_us if until_us is not None else 1 << 62}
            span = "SELECT min(block), max(block) FROM spans WHERE high_us >= :since AND low_us < :until"
            low, high = self.rows(span, {name: asked.values[name] for name in ("since", "until")})[0]
            if low is None:
                return None
            asked.values |= {"low": low << BLOCK_BITS, "high": ((high + 1) << BLOCK_BITS) - 1}
            asked.more += "AND docs.at_us >= :since AND docs.at_us < :until "
        return asked


def _spans(docs: Any) -> list[tuple[int, int, int]]:
    """The earliest and latest time of each block of documents: a window of time becomes a range of numbers."""
    spans: dict[int, tuple[int, int]] = {}
    for number, _, at_us, *_ in docs:
        block = number >> BLOCK_BITS
        low, high = spans.get(block, (at_us, at_us))
        spans[block] = (min(low, at_us), max(high, at_us))
    return [(block, low, high) for block, (low, high) in sorted(spans.items())]


def opened(opening: Opening) -> SqliteSearch:
    """The adapter, as the registry asks for it."""
    store = SqliteSearch(opening.path, opening.max_field)
    store.logs = opening.logs
    return store
