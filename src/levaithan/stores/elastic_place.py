"""How far one journal is in the search on Elasticsearch: a document that is written only over the one last seen.

A server that was restored from an older copy may answer again within one call: its place is not written over then, for
what lies between would be skipped.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from levaithan.stores.roles import SEARCH, Cursor, StoreBusyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.stores.elastic_writer import Doc

_FIELDS = ("journal", "segment", "offset", "seq", "hash")
_CONFLICT = 409
_WENT_BACK = "its place in the journal is before where it was left: it was restored from an older copy"
_READ_AGAIN = "nothing to do: the place is read again and it goes on from there"


class Place:
    """The place of one journal in `index`. `client` gives the client of now."""

    def __init__(self, client: Callable[[], Any], index: str) -> None:
        self._client = client
        self._index = index
        self.left_at: Cursor | None = None
        """Where it was when it was last read or written."""
        self.last: dict[str, Any] = {}
        """last_id and last_us: the last event before it; {} where there is none."""
        self._seen: dict[str, Any] = {}

    def read(self, journal: str) -> Cursor | None:
        """Where it is; None where it is nowhere. Raises the client's errors."""
        found, self._seen = self._stored(journal)
        self.last = {name: found[name] for name in ("last_id", "last_us") if name in found}
        self.left_at = Cursor(*(found[name] for name in _FIELDS)) if found else None
        return self.left_at

    def write(self, cursor: Cursor, last: Doc | None) -> None:
        """Move it; `last`: the last event before it. Raises StoreBusyError, each time until it is read again, where it
        went back meanwhile, and the client's errors."""
        document: dict[str, Any] = {name: getattr(cursor, name) for name in _FIELDS}
        document["updated_us"] = time.time_ns() // 1000
        if last is not None:
            document |= {"last_id": last.id, "last_us": last.source["at_us"]}
        place = {"index": self._index, "id": _id(cursor.journal), "document": document}
        done = self._client().options(ignore_status=_CONFLICT).index(**place, **self._seen)
        if done.meta.status == _CONFLICT:
            found, seen = self._stored(cursor.journal)
            if self.left_at is not None and found.get("seq", -1) < self.left_at.seq:
                raise StoreBusyError(store=SEARCH, reason=_WENT_BACK, fix=_READ_AGAIN)
            done = self._client().index(**place, **seen)  # an answer of ours was lost, or another service was quicker
        self.left_at, self._seen = cursor, _unchanged(done.body)

    def forget(self, journal: str) -> None:
        """Remove it. Raises the client's errors."""
        self._client().options(ignore_status=404).delete(index=self._index, id=_id(journal))
        self.left_at, self._seen = None, {}

    def _stored(self, journal: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """(the document, the condition that it is still the same), both {} where there is none."""
        answer = self._client().options(ignore_status=404).get(index=self._index, id=_id(journal)).body
        found: dict[str, Any] = answer.get("_source") or {}
        return found, _unchanged(answer) if found else {}


def _id(journal: str) -> str:
    return journal or "none"


def _unchanged(answer: Any) -> dict[str, Any]:
    """That a document is still the one of `answer` (Elasticsearch: optimistic concurrency control)."""
    return {"if_seq_no": answer["_seq_no"], "if_primary_term": answer["_primary_term"]}
