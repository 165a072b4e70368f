"""Stores altered behind levaithan's back, whatever they are made of."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from levaithan.stores.graph_facts import Edge
    from levaithan.stores.roles.graph import Node


def sql(ledger: Any, *statements: str) -> None:
    """Run `statements` in a ledger; each must change something."""
    if ledger.remote:
        import psycopg

        with psycopg.connect(ledger.opening.url) as link:
            for one in statements:
                assert link.execute(one).rowcount, one
        return
    _sqlite(ledger, *statements)


def edge_time(graph: Any, kind: str, seq: int, us: int) -> None:
    """The edges of `kind` of the record `seq` get another time."""
    if not graph.remote:
        from levaithan.stores.sqlite_graph_sql import NUMBER

        _sqlite(graph, f"UPDATE edges SET at_us = {us} WHERE kind = {NUMBER[kind]} AND seq = {seq}")
        return
    edge_property(graph, kind, seq, "at_us", us)


def edge_property(graph: Any, kind: str, seq: int, name: str, value: Any) -> None:
    """HelixDB's edges of `kind` of the record `seq` are made again with another value of a property."""
    from helixdb import EdgeRef, NodeRef, Predicate, PropertyInput, g, read_batch, write_batch

    from levaithan.stores.helix_reads import STORED

    label = graph.reads.prefix + kind
    of_record = g().e_with_label(label).where(Predicate.eq("seq", seq))
    asked = read_batch().var_as("edges", of_record.value_map(["$from", "$to", "key", *STORED])).returning(["edges"])
    edges = _raw(graph, asked)["edges"]
    assert edges
    writes = write_batch().var_as("old", of_record).var_as("gone", g().drop_edge_by_id(EdgeRef.var("old")))
    for number, one in enumerate(edges):
        given = {key: PropertyInput.value(one[key]) for key in ("key", *STORED)} | {name: PropertyInput.value(value)}
        made = g().n(NodeRef.id(one["$from"])).add_e(label, NodeRef.id(one["$to"]), given)
        writes = writes.var_as(f"made{number}", made)
    _raw(graph, writes.returning([]))


def stand(graph: Any, edge: Edge) -> None:
    """An edge stands that no record says."""
    kind, source, target = edge
    if not graph.remote:
        from levaithan.stores.sqlite_graph_sql import NUMBER

        near, far = (
            f"(SELECT number FROM nodes WHERE kind = '{node.kind}' AND key = '{node.key}')" for node in (source, target)
        )
        _sqlite(graph, f"INSERT INTO edges VALUES ({near}, {NUMBER[kind]}, {far}, 0, 0)")
        return
    graph.mend_standing((), [edge])


def unstand(graph: Any, kind: str) -> None:
    """The edges of `kind` that stand go."""
    if not graph.remote:
        from levaithan.stores.sqlite_graph_sql import NUMBER

        _sqlite(graph, f"DELETE FROM edges WHERE kind = {NUMBER[kind]} AND seq = 0")
        return
    graph.mend_standing([one.number for page in graph.standing() for one in page if one.edge[0] == kind], ())


def node_property(graph: Any, node: Node, name: str, value: str | None) -> None:
    """A node gets another value of a property, or loses it."""
    if not graph.remote:
        changed = f"json_remove(props, '$.{name}')" if value is None else f"json_set(props, '$.{name}', '{value}')"
        changed = changed.replace("props,", "coalesce(props, '{}'),")
        _sqlite(graph, f"UPDATE nodes SET props = {changed} WHERE kind = '{node.kind}' AND key = '{node.key}'")
        return
    from helixdb import write_batch

    found = _found(graph, node)
    made = found.remove_property(name) if value is None else found.set_property(name, value)
    _raw(graph, write_batch().var_as("set", made).returning([]))


def make_node(graph: Any, node: Node) -> None:
    """A node that no record makes."""
    if not graph.remote:
        _sqlite(graph, f"INSERT INTO nodes (kind, key) VALUES ('{node.kind}', '{node.key}')")
        return
    from helixdb import g, write_batch

    made = g().add_n(graph.reads.prefix + node.kind, {"key": node.key})
    _raw(graph, write_batch().var_as("made", made).returning([]))


def drop_node(graph: Any, node: Node) -> None:
    """A node goes, with its edges."""
    if not graph.remote:
        _sqlite(graph, f"DELETE FROM nodes WHERE kind = '{node.kind}' AND key = '{node.key}'")
        return
    from helixdb import write_batch

    _raw(graph, write_batch().var_as("gone", _found(graph, node).drop()).returning([]))


def _found(graph: Any, node: Node) -> Any:
    from helixdb import SourcePredicate, g

    return g().n_with_label_where(graph.reads.prefix + node.kind, SourcePredicate.eq("key", node.key))


def _raw(graph: Any, batch: Any) -> dict[str, Any]:
    answer: dict[str, Any] = graph.calls.write(batch.to_query_bytes())
    return answer


def _sqlite(store: Any, *statements: str) -> None:
    with sqlite3.connect(store.file.path) as link:
        for one in statements:
            assert link.execute(one).rowcount, one
    link.close()
