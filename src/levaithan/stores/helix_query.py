"""Questions to HelixDB as bytes: the query's text is built once by the SDK, what is asked for goes in as parameters.

Imports helixdb (its query builder; not its client, which knows no time limit).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from helixdb import Expr, PropertyInput, SourcePredicate, g

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from helixdb import ReadBatch, Traversal, WriteBatch

TEXT, NUMBER, NUMBERS, ROWS = "string", "i64", {"array": "i64"}, {"array": "object"}
"""The types of parameters."""


class Query:
    """A query's text and the types of its parameters; `body` joins them with values. `whole`: HelixDB looks at all
    there is of a kind, or of a node, for it, so it takes the longer the more there is."""

    __slots__ = ("_query", "_request", "_types", "whole")

    def __init__(
        self, batch: ReadBatch | WriteBatch, types: Mapping[str, Any] | None = None, *, whole: bool = False
    ) -> None:
        self.whole = whole
        made = orjson.loads(batch.to_query_bytes())
        self._request: str = made["request_type"]
        self._query = orjson.Fragment(orjson.dumps(made["query"]))
        self._types = dict(types or {})

    def body(self, **values: Any) -> bytes:
        """The body of `POST /v2/query`."""
        return body(self._request, self._query, values, self._types)


def body(request: str, query: object, values: Mapping[str, Any], types: Mapping[str, Any]) -> bytes:
    """A request in the form of HelixDB's dynamic queries; it begins with its type, which tells a write from a read."""
    made = {
        "request_type": request, "query_name": None, "query": query, "parameters": values, "parameter_types": types,
    }  # fmt: skip
    try:
        return orjson.dumps(made)
    except TypeError:  # a lone surrogate, from a command line that is no UTF-8: no key has one
        return orjson.dumps(made | {"parameters": {name: _whole(value) for name, value in values.items()}})


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return [_whole(one) for one in value] if isinstance(value, list) else value


def entries(batch: WriteBatch) -> list[bytes]:
    """The entries of a write, to be joined with those of others by `joined`."""
    return [orjson.dumps(one) for one in orjson.loads(batch.to_query_bytes())["query"]["write"]["entries"]]


def joined(parts: Sequence[bytes], returns: Sequence[str]) -> object:
    """One write of many entries, which is one transaction."""
    return orjson.Fragment(
        b'{"write":{"entries":[' + b",".join(parts) + b'],"returns":' + orjson.dumps(returns) + b"}}"
    )


def by_key(label: str, name: str = "key") -> Traversal:
    """The node of `label` whose key is the parameter `name`."""
    return g().n_with_label_where(label, SourcePredicate.eq("key", Expr.param(name)))


def given(*names: str) -> dict[str, PropertyInput]:
    """Properties that are the parameters of the same names."""
    return {name: PropertyInput.param(name) for name in names}
