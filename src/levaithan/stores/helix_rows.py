"""What HelixDB keeps of records: nodes, their properties, edges, and the places by which edges are found again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from levaithan.stores.roles.graph import Node
from levaithan.stores.search_fields import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from levaithan.stores.graph_facts import Edge, Facts
    from levaithan.stores.roles import Delivery

    Put = tuple[Delivery, Facts]

EDGE = ("key", "place", "journal", "seq", "machine", "event", "at_us")
"""The properties of an edge. One that stands is of no record: its number and its time are 0, machine and event are
empty."""
_SHELVES = "0123456789abcdef"
_LAST = {"9": "`", "f": ""}
"""What else is on a shelf, so that nothing is between two."""
_BEHIND = "\U0010ffff"
"""What comes after every other text."""


def place(journal: str, seq: int) -> str:
    """Where a record stands, as a text that sorts by its number."""
    return f"{journal}/{seq:020d}"


def shelves(journal: str) -> Iterator[tuple[str, str]]:
    """The places (first, last) of the edges that stand: before those of every record, and in several, for HelixDB gives
    all edges between two places at once."""
    first = place(journal, 0)
    for letter in _SHELVES:
        low = first if letter == _SHELVES[0] else f"{first}/{letter}"
        yield low, f"{first}/{_LAST.get(letter, letter)}{_BEHIND}"


@dataclass(slots=True)
class Rows:
    """The rows of a batch. nodes: kind -> keys; props: (kind, property) -> key -> text; edges: (kind, from, to) ->
    rows; edge_count: how many of these are of a record."""

    nodes: dict[str, dict[str, None]] = field(default_factory=dict)
    props: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    edges: dict[tuple[str, str, str], list[dict[str, Any]]] = field(default_factory=dict)
    edge_count: int = 0

    def node(self, node: Node) -> None:
        """Put `node`."""
        self.nodes.setdefault(node.kind, {})[node.key] = None

    def edge(self, edge: Edge, row: dict[str, Any]) -> None:
        """Put `edge`, of which `row` is kept."""
        kind, source, target = edge
        self.node(source)
        self.node(target)
        self.edges.setdefault((kind, source.kind, target.kind), []).append(row)


def rows_of(puts: Iterable[Put]) -> Rows:
    """The rows that say what the facts of these records say; what stands once, however many say it."""
    rows = Rows()
    standing: dict[tuple[str, Edge], None] = {}
    for delivery, facts in puts:
        for edge, row in rows_of_edges(delivery, facts):
            rows.edge(edge, row)
            rows.edge_count += 1
        standing |= {(delivery.journal, edge): None for edge in facts.standing}
        for node, props in facts.props.items():
            rows.node(node)
            for name, text in props.items():
                rows.props.setdefault((node.kind, name), {})[node.key] = text
    for journal, edge in standing:
        rows.edge(edge, standing_row(journal, edge))
    return rows


def rows_of_edges(delivery: Delivery, facts: Facts) -> list[tuple[Edge, dict[str, Any]]]:
    """What is kept of each edge of a record."""
    if not facts.edges:
        return []
    record = delivery.record or {}
    base = {
        "place": place(delivery.journal, delivery.seq), "journal": delivery.journal, "seq": delivery.seq,
        "machine": clean(str(record.get("machine") or "")), "event": clean(str(record["id"])), "at_us": facts.at_us,
    }  # fmt: skip
    return [(edge, _row(edge, base)) for edge in dict.fromkeys(facts.edges)]


def standing_rows(journal: str, edges: Iterable[Edge]) -> Rows:
    """The rows of `edges` that stand in `journal`."""
    rows = Rows()
    for edge in edges:
        rows.edge(edge, standing_row(journal, edge))
    return rows


def standing_row(journal: str, edge: Edge) -> dict[str, Any]:
    """What is kept of an edge that stands: nothing that depends on which record said it, or on their order."""
    at = place(journal, 0)
    row = _row(edge, {"place": at, "journal": journal, "seq": 0, "machine": "", "event": "", "at_us": 0})
    return row | {"place": f"{at}/{row['key'][0]}"}


def _row(edge: Edge, base: Mapping[str, Any]) -> dict[str, Any]:
    """An edge's key is short, for paths are long and this is indexed: a hash of journal, number, kind and ends."""
    kind, source, target = edge
    parts = "\0".join((base["place"], kind, *source, *target))
    key = hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return {**base, "key": key, "from": source.key, "to": target.key}
