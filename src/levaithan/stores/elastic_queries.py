"""What is asked of the search, as Elasticsearch's queries. Pure: no client.

A person's words are values in these, never `query_string` syntax: no text is an operator or an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.stores import search_text
from levaithan.stores.elastic_documents import ORDER
from levaithan.stores.roles import FIELDS, SearchFilters
from levaithan.stores.search_fields import held
from levaithan.stores.search_words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from levaithan.stores.roles.search import Part

NEWEST_FIRST = [{name: "desc"} for name in ORDER]
_LONGEST_WORD = 255
"""Characters of one word in the index: the whitespace tokenizer splits longer ones."""
_MOST_ENDINGS = 10_000
"""Words that the last one of a phrase may be the beginning of (src/lev*)."""
Query = dict[str, Any]


def query(
    text: str, since_us: int | None, until_us: int | None, filters: SearchFilters | None, *, more: Iterable[Query] = ()
) -> Query | None:
    """The query for a question; None where nothing can be found: there is text, and no word in it."""
    parts = [part for term, prefix in search_text.parts_of(text) if (part := _part(term, prefix))]
    if text.strip() and not parts:
        return None
    wanted = filters or SearchFilters()
    asked: list[Query] = [*parts, *more]
    for name in FIELDS:
        if value := getattr(wanted, name):
            asked.append({"term": {name: held(value)}})
    if wanted.canary is not None:
        asked.append({"term": {"canary": wanted.canary}})
    if wanted.part is not None:
        asked.append(_of_part(wanted.part))
    window = {name: value for name, value in (("gte", since_us), ("lt", until_us)) if value is not None}
    if window:
        asked.append({"range": {"at_us": window}})
    return {"bool": {"filter": asked}} if asked else {"match_all": {}}


def _part(term: str, prefix: bool) -> Query | None:
    words = words_of(term)
    if not words:
        return None
    if not prefix:
        return {"match_phrase": {"words": words}}
    if " " not in words:
        return {"prefix": {"words": words[:_LONGEST_WORD]}}
    return {"match_phrase_prefix": {"words": {"query": words, "max_expansions": _MOST_ENDINGS}}}


def of_journal(journal: str, first: int | None = None, last: int | None = None) -> Query:
    """The documents of one journal, by their numbers: first <= seq <= last."""
    asked: list[Query] = [{"term": {"journal": journal}}]
    window = {name: value for name, value in (("gte", first), ("lte", last)) if value is not None}
    if window:
        asked.append({"range": {"seq": window}})
    return {"bool": {"filter": asked}}


def _of_part(part: Part) -> Query:
    if part.but:
        return {"bool": {"must_not": [{"terms": {"journal": list(part.but)}}]}}
    return of_journal(part.journal, part.first or None, None if part.until is None else part.until - 1)


def there(ids: list[str], window: Query | None = None) -> Query:
    """The documents of these ids, and those of `window`."""
    asked: list[Query] = [{"ids": {"values": ids}}]
    return {"bool": {"should": [*asked, window] if window else asked, "minimum_should_match": 1}}


def histogram(interval_s: int, limit: int) -> Query:
    """Newest intervals first, only those with events: a long window with a short interval stays bounded."""
    source = {"date_histogram": {"field": "@timestamp", "fixed_interval": f"{interval_s}s", "order": "desc"}}
    return {"counted": {"composite": {"size": limit, "sources": [{"start": source}]}}}


def top(field: str, limit: int) -> Query:
    """The most frequent values, then by value. Exact in one index of the stream; over several each gives so many."""
    return {"counted": {"terms": {"field": field, "size": limit, "shard_size": max(1000, limit * 10)}}}


def newest(field: str, values: list[str]) -> Query:
    """The newest event of each of these values."""
    hits = {"top_hits": {"size": 1, "_source": False, "sort": NEWEST_FIRST}}
    return {"counted": {"terms": {"field": field, "include": values, "size": len(values)}, "aggs": {"newest": hits}}}
