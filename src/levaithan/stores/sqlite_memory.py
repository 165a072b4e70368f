"""The memory in an SQLite file of its own: vectors as they are, compared one by one, and FTS5 for the words.

Exact, and bounded by the filters and by the newest NEWEST of what they leave. An index of vectors would be an extension
in C for what costs a fraction of a second here; a team's memory is Weaviate's. Standard library, and the model's own.
"""

from __future__ import annotations

import heapq
import sqlite3
from typing import TYPE_CHECKING, Any, Self

from levaithan.stores import embedding, memory_facts, memory_ranking, search_fields
from levaithan.stores import sqlite_memory_sql as sql
from levaithan.stores.roles import MEMORY, Delivery, Health, Rejected
from levaithan.stores.roles.memory import MOST, MemoryFilters, Remembered
from levaithan.stores.sqlite_index import SqliteIndex

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

    from levaithan.stores.opening import Opening

NEWEST = 20_000
"""Vectors that one question is compared with at most."""
_PAGE = 2_000
_CHUNK = 400
_ALL = 1 << 62
_CANDIDATES = 50


class SqliteMemory(SqliteIndex):
    """The Memory role on SQLite."""

    name = MEMORY
    schema_version = "1"
    counted = "SELECT coalesce(max(number), 0) FROM memories"

    def __init__(self, path: str, max_field: int = 1 << 20, model: embedding.Model | None = None) -> None:
        super().__init__(path, max_field)
        self.model = model or embedding.model(embedding.AUTO)
        # A language model keeps the projector's thread busy for as long as a server would: then it has its own.
        self.remote = self.model.threaded
        self.schema = (*sql.SCHEMA, sql.made_by(self.model.name, self.model.dimension))

    def beside(self) -> Self:
        """See roles.Projected."""
        return type(self)(self.file.beside().path, self.max_field, self.model)

    # -- the model --

    def current(self) -> bool:
        """See roles.Projected. Vectors of another model are another store."""
        return super().current() and self._made_by() == (self.model.name, self.model.dimension)

    def _made_by(self) -> tuple[str, int] | None:
        found = self.rows("SELECT name, dimension FROM model")
        return (str(found[0][0]), int(found[0][1])) if found else None

    def migrate(self) -> None:
        """See roles.Projected. A store of another model is made again from the journal."""
        if self.version() == self.schema_version and not self.current():
            made_by = self._made_by()
            self.found.append(
                f"the memory's vectors were made by {made_by[0] if made_by else 'no model'}, they are made again by "
                f"{self.model.name}"
            )
            self.close()
            self.file.remove()
        super().migrate()

    def health(self) -> Health:
        """See roles.Projected."""
        told = super().health()
        told.capabilities = (self.model.name,)
        return told

    # -- writing --

    def began(self, link: sqlite3.Connection) -> None:
        """What is forgotten must not stay in free pages of the file."""
        link.execute("PRAGMA secure_delete=ON")

    def put(self, link: sqlite3.Connection, batch: Sequence[Delivery]) -> list[Rejected]:
        """See SqliteIndex."""
        memories, forgets, rejected = memory_facts.read(batch)
        link.executemany(
            "INSERT OR IGNORE INTO forgotten VALUES (?, ?, ?, ?)",
            [(one.id, one.seq, one.session, one.until_us) for one in forgets],
        )
        gone = dict(link.execute("SELECT session, max(seq) FROM forgotten GROUP BY session"))
        fresh = {one.id: one for one in memories if one.seq >= gone.get(one.session, 0)}
        for known in _known(link, list(fresh)):
            del fresh[known]
        if fresh:
            _insert(link, list(fresh.values()), self.model)
        removed = [_remove(link, one.session, gone[one.session]) for one in forgets]
        if any(removed):
            link.execute("INSERT INTO words (words) VALUES ('optimize')")  # their words leave the index with them
        return rejected

    def forget(self, session: str) -> int:
        """See roles.Memory."""
        with self.one_step() as link:
            removed = _remove(link, session, _ALL)
            link.execute("INSERT INTO words (words) VALUES ('optimize')")
        return removed

    # -- questions --

    def near(self, text: str, k: int = 10, filters: MemoryFilters | None = None) -> list[Remembered]:
        """See roles.Memory."""
        text, k = search_fields.clean(text).strip(), min(k, MOST)
        if not text or k < 1 or not self.current():
            return []
        (asked,) = self.model.vectors([text])
        best = self._nearest(asked, k, filters or MemoryFilters())
        found = self._remembered([number for _, number in best])
        return [_scored(found[number], cosine) for cosine, number in best if number in found]

    def hybrid(
        self, text: str, k: int = 10, alpha: float = 0.5, filters: MemoryFilters | None = None
    ) -> list[Remembered]:
        """See roles.Memory."""
        text, k, wanted = search_fields.clean(text).strip(), min(k, MOST), filters or MemoryFilters()
        if not text or k < 1 or not self.current():
            return []
        terms, most = memory_ranking.terms(text), max(_CANDIDATES, 4 * k)
        by_words = self._matching(memory_ranking.spellings(text), most, wanted) if terms and alpha < 1 else []
        cosines: dict[int, float] = {}
        if alpha > 0:
            (asked,) = self.model.vectors([text])
            cosines = {number: cosine for cosine, number in self._nearest(asked, most, wanted)}
            cosines |= self._cosines(asked, [number for number in by_words if number not in cosines])
        found = self._remembered([*cosines, *(number for number in by_words if number not in cosines)])
        ranked = [
            (memory_ranking.fused(alpha, cosines.get(number, 0.0), memory_ranking.share(terms, one.text)), number)
            for number, one in found.items()
        ]
        return [_scored(found[number], score) for score, number in heapq.nlargest(k, ranked) if score > 0]

    def get(self, id: str) -> Remembered | None:
        """See roles.Memory."""
        if not self.current():
            return None
        found = self.rows(sql.GET, {"id": search_fields.clean(id)})
        return Remembered(*found[0]) if found else None

    def kinds(self, filters: MemoryFilters | None = None) -> dict[str, int]:
        """See roles.Memory."""
        return dict(self.rows(*sql.kinds(filters or MemoryFilters()))) if self.current() else {}

    def _nearest(self, asked: array[float], k: int, filters: MemoryFilters) -> list[tuple[float, int]]:
        """(cosine, number) of the `k` nearest; of equals the newest first. A page at a time, so memory stays flat."""
        question, values = sql.page(filters)
        best: list[tuple[float, int]] = []
        below = _ALL
        for _ in range(NEWEST // _PAGE):
            rows = self.rows(question, {**values, "below": below, "page": _PAGE})
            scores = memory_ranking.cosines(asked, [vector for _, vector in rows])
            numbers = [number for number, _ in rows]
            best = heapq.nlargest(k, [*best, *zip(scores, numbers, strict=True)])
            if len(rows) < _PAGE:
                break
            below = numbers[-1]
        return best

    def _matching(self, terms: list[str], most: int, filters: MemoryFilters) -> list[int]:
        question, values = sql.words(filters)
        match = " OR ".join(f'"{term}"' for term in terms)
        return [row[0] for row in self.rows(question, {**values, "match": match, "most": most})]

    def _cosines(self, asked: array[float], numbers: list[int]) -> dict[int, float]:
        rows = self._numbered("number, vector FROM vectors", numbers)
        return dict(zip((row[0] for row in rows), memory_ranking.cosines(asked, [row[1] for row in rows]), strict=True))

    def _remembered(self, numbers: list[int]) -> dict[int, Remembered]:
        rows = self._numbered(f"number, {sql.FIELDS} FROM memories", numbers)
        return {number: Remembered(*fields) for number, *fields in rows}

    def _numbered(self, what: str, numbers: list[int]) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(numbers), _CHUNK):
            some = numbers[start : start + _CHUNK]
            rows += self.rows(sql.numbered(what, len(some)), {f"n{at}": number for at, number in enumerate(some)})
        return rows

    # -- the journal against it --

    def expected(self, delivery: Delivery) -> str | None:
        """See roles.Projected."""
        memories, forgets, _ = memory_facts.read([delivery])
        if forgets:
            return forgets[0].fingerprint()
        if not memories:
            return None
        later = "SELECT 1 FROM forgotten WHERE session = :session AND seq > :seq"
        gone = self.current() and self.rows(later, {"session": memories[0].session, "seq": memories[0].seq})
        return None if gone else memories[0].fingerprint()

    def fingerprints(self, first: int, last: int) -> dict[int, str]:
        """See roles.Projected. A memory whose vector is gone, or is of another dimension, is an altered one."""
        if not self.current():
            return {}
        span = {"first": first, "last": last, "size": 4 * self.model.dimension}
        rows = self.rows(sql.PRINTS, span)
        found = {seq: memory_facts.fingerprint(*fields) if sound else "" for seq, sound, *fields in rows}
        gone = self.rows(sql.GONE, span)
        return found | {seq: memory_facts.fingerprint(*fields) for seq, *fields in gone}


def _known(link: sqlite3.Connection, ids: list[str]) -> list[str]:
    found = []
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        found += [row[0] for row in link.execute(sql.known(len(some)), some)]
    return found


def _insert(link: sqlite3.Connection, fresh: list[memory_facts.Memory], model: embedding.Model) -> None:
    (last,) = link.execute("SELECT coalesce(max(number), 0) FROM memories").fetchone()
    numbers = range(last + 1, last + 1 + len(fresh))
    vectors = embedding.of_each(model, [one.text for one in fresh])
    link.executemany(
        sql.PUT,
        [
            (number, one.seq, one.id, one.kind, one.at_us, one.text, one.length, one.session, one.agent, one.project,
             one.machine)
            for number, one in zip(numbers, fresh, strict=True)
        ],
    )  # fmt: skip
    link.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", zip(numbers, vectors, strict=True))
    link.executemany(
        "INSERT INTO words (rowid, text) VALUES (?, ?)",
        [(number, one.text) for number, one in zip(numbers, fresh, strict=True)],
    )


def _remove(link: sqlite3.Connection, session: str, before: int) -> int:
    """Remove what stands of `session` before the record `before`; how many memories that were."""
    span = {"session": session, "before": before}
    link.execute(sql.UNWORD, span)
    link.execute(sql.UNVECTOR, span)
    return link.execute(sql.REMOVE, span).rowcount


def _scored(one: Remembered, score: float) -> Remembered:
    return Remembered(
        one.id, one.kind, one.at_us, one.text, one.length, one.session, one.agent, one.project, one.machine,
        round(score, 6),
    )  # fmt: skip


def opened(opening: Opening) -> SqliteMemory:
    """The adapter, as the registry asks for it."""
    chosen = str(opening.options.get("memory_model") or embedding.AUTO)
    store = SqliteMemory(opening.path, opening.max_field, embedding.model(chosen))
    store.logs = opening.logs
    return store
