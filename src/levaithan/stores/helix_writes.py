"""What is written into HelixDB: nodes once, edges once an event, and a journal's place, in one transaction a batch.

A label stands in a query's text and not in its parameters, so a batch has one loop for each kind of node, of property
and of edge that occurs in it; each loop's text is built once. Imports helixdb.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from helixdb import (
    BatchCondition,
    EdgeRef,
    Expr,
    IndexSpec,
    NodeRef,
    Predicate,
    PropertyInput,
    SourcePredicate,
    WriteBatch,
    g,
    write_batch,
)

from levaithan.stores.helix_query import NUMBER, NUMBERS, ROWS, TEXT, Query, body, by_key, entries, given, joined
from levaithan.stores.helix_rows import EDGE
from levaithan.stores.roles.graph import AGENT, EDGES, KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from levaithan.stores.helix_rows import Rows
    from levaithan.stores.roles import Cursor

CURSOR, SCHEMA = "Cursor", "Schema"
PLACE = ("segment", "offset", "seq", "hash", "put", "updated_us")
"""The properties of a journal's place, beside its key and `writes`: how often it was written."""
MOST_REPLACED = 100_000
"""Edges of a kind that a transaction drops at most before it puts what belongs there."""


class Writes:
    """The writes of the graph whose labels begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._parts: dict[str, list[bytes]] = {}

    def indexes(self) -> list[Query]:
        """What makes each index, if it is not there."""
        at = self.prefix
        specs = [IndexSpec.node_unique_equality(at + label, "key") for label in (*KINDS, CURSOR, SCHEMA)]
        specs.append(IndexSpec.node_equality(at + AGENT, "session"))
        for kind in EDGES:
            specs += [IndexSpec.edge_equality(at + kind, "key"), IndexSpec.edge_range(at + kind, "place")]
        return [
            Query(write_batch().var_as("made", g().create_index_if_not_exists(one)).returning(["made"]))
            for one in specs
        ]

    @cached_property
    def schema(self) -> Query:
        """Note the schema's version."""
        label = self.prefix + SCHEMA
        made = (
            write_batch()
            .var_as("old", by_key(label))
            .var_as_if("new", BatchCondition.var_empty("old"), g().add_n(label, given("key", "version")))
            .var_as_if("set", BatchCondition.var_not_empty("old"), _set(g().n("old"), {"version": "version"}))
        )
        return Query(made.returning([]), {"key": TEXT, "version": NUMBER})

    def batch(
        self,
        rows: Rows,
        cursor: Cursor | None,
        at: dict[str, Any],
        replaced: tuple[str, str] | None,
        most: int = MOST_REPLACED,
    ) -> bytes:
        """One transaction: drop the edges of the places `replaced` (both included; `most` a kind), put `rows`, then
        `cursor` with the properties `at`. It answers `moved` (empty when the place is not where it was left) and
        `ends_<kind>` of what was dropped."""
        parts: list[bytes] = []
        values: dict[str, Any] = {}
        types: dict[str, Any] = {}
        returns: list[str] = []
        if replaced:
            parts += self._part("drop")
            values |= {"low": replaced[0], "high": replaced[1], "most": most}
            types |= {"low": TEXT, "high": TEXT, "most": NUMBER}
            returns += [f"ends_{kind}" for kind in EDGES]
        for name, given_rows in _loops(rows):
            parts += self._part(name)
            values[name], types[name] = given_rows, ROWS
        if cursor is not None:
            parts += self._part("first" if at["seen"] == 0 else "cursor")
            values |= {**at, "key": cursor.journal, "segment": cursor.segment, "offset": cursor.offset,
                       "seq": cursor.seq, "hash": cursor.hash}  # fmt: skip
            types |= {"seen": NUMBER, "key": TEXT, "segment": TEXT, "offset": NUMBER, "seq": NUMBER, "hash": TEXT,
                      "updated_us": NUMBER, "put": NUMBER}  # fmt: skip
            returns.append("moved")
        return body("write", joined(parts, returns), values, types)

    def _part(self, name: str) -> list[bytes]:
        """The text of one loop, by its name (see _loops)."""
        part = self._parts.get(name)
        if part is None:
            what, *labels = name.split("__")
            make: dict[str, Callable[..., WriteBatch]] = {
                "nodes": self._nodes, "props": self._props, "edges": self._edges, "cursor": self._cursor,
                "first": self._first, "drop": self._dropped,
            }  # fmt: skip
            part = self._parts[name] = entries(make[what](*labels).returning([]))
        return part

    def _nodes(self, kind: str) -> WriteBatch:
        label = self.prefix + kind
        made = g().add_n(label, given("key", "session") if kind == AGENT else given("key"))
        each = write_batch().var_as("old", by_key(label)).var_as_if("new", BatchCondition.var_empty("old"), made)
        return write_batch().for_each_param(f"nodes__{kind}", each)

    def _props(self, kind: str, name: str) -> WriteBatch:
        """Written only where it differs: most batches say of a session what the last one said."""
        other = g().n("node").where(Predicate.neq_param(name, "text"))
        each = (
            write_batch()
            .var_as("node", by_key(self.prefix + kind))
            .var_as("other", other)
            .var_as_if("set", BatchCondition.var_not_empty("other"), _set(g().n("other"), {name: "text"}))
        )
        return write_batch().for_each_param(f"props__{kind}__{name}", each)

    def _edges(self, kind: str, source: str, target: str) -> WriteBatch:
        """Looked for by its own key, never along a node's edges: a file or a tool may have a million."""
        label, absent = self.prefix + kind, BatchCondition.var_empty("had")
        each = (
            write_batch()
            .var_as("had", g().e_with_label_where(label, SourcePredicate.eq("key", Expr.param("key"))))
            .var_as_if("source", absent, by_key(self.prefix + source, "from"))
            .var_as_if("target", absent, by_key(self.prefix + target, "to"))
            .var_as_if("made", absent, g().n("source").add_e(label, "target", given(*EDGE)))
        )
        return write_batch().for_each_param(f"edges__{kind}__{source}__{target}", each)

    def _first(self) -> WriteBatch:
        """The journal's place, by somebody who has not seen it yet."""
        label = self.prefix + CURSOR
        made = g().add_n(label, {**given("key", *PLACE), "writes": PropertyInput.value(0)})
        old = write_batch().var_as("there", by_key(label)).var_as_if("new", BatchCondition.var_empty("there"), made)
        return self._placed(old.var_as("old", by_key(label)))

    def _cursor(self) -> WriteBatch:
        """The journal's place, unless it was written fewer times than was seen: a server that was restored from a copy
        has lost what came after it, and must be asked for its place again."""
        seen = by_key(self.prefix + CURSOR).where(Predicate.gte_param("writes", "seen"))
        return self._placed(write_batch().var_as("old", seen))

    def _placed(self, old: WriteBatch) -> WriteBatch:
        place_set = _set(g().n("old"), {name: name for name in PLACE})
        once_more = PropertyInput.expr(Expr.prop("writes").add(Expr.val(1)))
        return old.var_as_if(
            "set", BatchCondition.var_not_empty("old"), place_set.set_property("writes", once_more)
        ).var_as("moved", g().n("old").value_map(["writes"]))

    def _dropped(self) -> WriteBatch:
        made = write_batch()
        for kind in EDGES:
            edges = g().e_with_label_where(
                self.prefix + kind, SourcePredicate.between("place", Expr.param("low"), Expr.param("high"))
            )
            made = (
                made.var_as(f"drop_{kind}", edges.limit(Expr.param("most")))
                .var_as(f"ends_{kind}", g().e(EdgeRef.var(f"drop_{kind}")).value_map(["$from", "$to"]))
                .var_as(f"gone_{kind}", g().drop_edge_by_id(EdgeRef.var(f"drop_{kind}")))
            )
        return made

    @cached_property
    def unjoin(self) -> Query:
        """Drop the edges `ids`."""
        gone = write_batch().var_as("gone", g().drop_edge_by_id(EdgeRef.param("ids")))
        return Query(gone.returning([]), {"ids": NUMBERS})

    @cached_property
    def loose(self) -> Query:
        """Drop those of the nodes `rows` (each with its `id`) that no edge touches any more."""
        each = (
            write_batch()
            .var_as("node", g().n(NodeRef.param("id")))
            .var_as("left", g().n("node").both().limit(1))
            .var_as_if("gone", BatchCondition.var_empty("left"), g().n("node").drop())
        )
        return Query(write_batch().for_each_param("rows", each).returning([]), {"rows": ROWS})

    def mended(self, kind: str, names: Sequence[str]) -> Query:
        """Drop the node of `kind` with the `key` when no edge touches it, else its properties `names`; an agent gets
        its `session`."""
        touched = BatchCondition.var_not_empty("left")
        made = (
            write_batch()
            .var_as("node", by_key(self.prefix + kind))
            .var_as("left", g().n("node").both().limit(1))
            .var_as_if("gone", BatchCondition.var_empty("left"), g().n("node").drop())
        )
        kept = _set(g().n("node"), {"session": "session"}) if kind == AGENT else g().n("node")
        for name in names:
            if kind != AGENT or name != "session":
                kept = kept.remove_property(name)
        if kind == AGENT or names:
            made = made.var_as_if("mended", touched, kept)
        return Query(made.returning([]), {"key": TEXT, "session": TEXT})

    @cached_property
    def forget(self) -> Query:
        """Drop a journal's place."""
        dropped = write_batch().var_as("old", by_key(self.prefix + CURSOR)).var_as("gone", g().n("old").drop())
        return Query(dropped.returning([]), {"key": TEXT})


def _loops(rows: Rows) -> Sequence[tuple[str, list[dict[str, Any]]]]:
    """(name of the loop and of its parameter, rows): nodes first, for edges look for them."""
    made: list[tuple[str, list[dict[str, Any]]]] = []
    for kind, keys in sorted(rows.nodes.items()):
        if kind == AGENT:
            made.append((f"nodes__{kind}", [{"key": key, "session": key.partition("/")[0]} for key in keys]))
        else:
            made.append((f"nodes__{kind}", [{"key": key} for key in keys]))
    for (kind, name), texts in sorted(rows.props.items()):
        made.append((f"props__{kind}__{name}", [{"key": key, "text": text} for key, text in texts.items()]))
    for (kind, source, target), found in sorted(rows.edges.items()):
        made.append((f"edges__{kind}__{source}__{target}", found))
    return made


def _set(nodes: Any, named: Mapping[str, str]) -> Any:
    """Set properties: name -> the parameter that has its value."""
    for name, parameter in named.items():
        nodes = nodes.set_property(name, PropertyInput.param(parameter))
    return nodes
