"""The journal against the graph on HelixDB: what is stored of a record's edges and of nodes, and what should be.

Imports helixdb through its neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.stores import helix_reads
from levaithan.stores.graph_facts import Edge, fingerprint, read
from levaithan.stores.helix_reads import AT_ONCE, STORED
from levaithan.stores.helix_rows import place, rows_of_edges, shelves, standing_row, standing_rows
from levaithan.stores.helix_store import HelixStore
from levaithan.stores.roles.graph import AGENT, EDGES, KINDS, SPAWNED, Node, Standing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from levaithan.stores.graph_facts import Facts
    from levaithan.stores.helix_query import Query
    from levaithan.stores.roles import Delivery

_DIGITS = 20
"""Of a record's number in its place."""


class HelixPrints(HelixStore):
    """The part of roles.Graph that holds the journal against it."""

    def expected(self, delivery: Delivery) -> str | None:
        """See roles.Projected."""
        return self._expected(delivery)

    def expected_before(self, delivery: Delivery) -> str | None:
        """See roles.Graph."""
        return self._expected(delivery, repeated=True)

    def _expected(self, delivery: Delivery, *, repeated: bool = False) -> str | None:
        found, _ = read([delivery], self.max_field, repeated=repeated)
        return self.printed(delivery, found[0][1]) if found else None

    def printed(self, delivery: Delivery, facts: Facts) -> str | None:
        """See roles.Graph. An edge's mark is all that is stored of it."""
        rows = rows_of_edges(delivery, facts)
        return fingerprint((edge, _mark(row, row["key"])) for edge, row in rows) if rows else None

    def fingerprints(self, first: int, last: int) -> dict[int, str]:
        """See roles.Projected."""
        made = dict[int, list[tuple[Edge, str]]]()
        for edge, one in self._between(place(self.journal, max(1, first)), place(self.journal, max(0, last))):
            number = str(one["place"]).rpartition("/")[2][:_DIGITS]
            seq = int(number) if number.isdecimal() else first  # a forged one, in the place of some record
            made.setdefault(seq, []).append((edge, _mark(one, one.get("edge_key"))))
        return {seq: fingerprint(edges) for seq, edges in made.items()}

    def _between(self, low: str, high: str) -> Iterator[tuple[Edge, dict[str, Any]]]:
        """Each edge between two places, and what is stored of it."""
        told = self.calls.ask(self.reads.edges, low=low, high=high)
        for kind in EDGES:
            targets = {one["id"]: one for one in told[f"to_{kind}"]}
            for one in told[f"from_{kind}"]:
                yield (kind, self._end(one), self._end(targets[one["id"]])), one

    def standing(self) -> Iterator[list[Standing]]:
        """See roles.Graph. The number is HelixDB's own of the edge."""
        for low, high in shelves(self.journal):
            page = []
            for edge, one in self._between(low, high):
                row = standing_row(self.journal, edge)
                page.append(Standing(edge, int(one["id"]), _mark(one, one.get("edge_key")) == _mark(row, row["key"])))
            yield page

    def lacks(self, edges: Sequence[Edge]) -> set[Edge]:
        """See roles.Graph. Asked of its agent, and of the one that was spawned: a session has many of them."""
        found = set[Edge]()
        for kind, near, far in dict.fromkeys((kind, one.kind, two.kind) for kind, one, two in edges):
            some = [edge for edge in edges if (edge[0], edge[1].kind, edge[2].kind) == (kind, near, far)]
            forward = kind != SPAWNED
            asked = self.reads.joined(kind, *((near, far) if forward else (far, near)), forward=forward)
            for start in range(0, len(some), AT_ONCE):
                page = some[start : start + AT_ONCE]
                ends = [(one.key, two.key) if forward else (two.key, one.key) for _, one, two in page]
                beside = {f"f{n}": ends[n][1] if n < len(ends) else "" for n in range(AT_ONCE)}
                told = self._each(asked, [key for key, _ in ends], **beside)
                found |= {edge for edge, (_, one) in zip(page, told, strict=True) if not one["n"]}
        return found

    def mend_standing(self, wrong: Sequence[int], edges: Collection[Edge]) -> None:
        """Drop the edges with the numbers `wrong`, and put `edges`, which stand."""
        self._drop_edges(wrong)
        if edges:
            self._put_rows(standing_rows(self.journal, edges), None, None)

    def nodes(self) -> Iterator[list[Node]]:
        """See roles.Graph."""
        for kind in KINDS:
            for some in self._numbers(kind):
                page = self.calls.ask(self.reads.nodes, ids=some)["nodes"]
                yield [Node(kind, str(one.get("key"))) for one in page]

    def _numbers(self, kind: str) -> Iterator[list[int]]:
        """Those of the nodes of `kind`, some at a time."""
        asked, after, full = self.reads.numbers(kind), -1, True
        while full:
            numbers = self.calls.ask(asked, after=after)["numbers"]
            full = len(numbers) == helix_reads.NUMBERED
            for start in range(0, len(numbers), helix_reads.NODES):
                yield numbers[start : start + helix_reads.NODES]
            after = numbers[-1] if numbers else after

    def properties(self, kind: str, keys: Sequence[str]) -> dict[str, dict[str, str]]:
        """See roles.Graph. An agent's session is one only where it is not that of its key."""
        found = {}
        for key, told in self._each(self.reads.properties(kind), keys):
            if told["n"]:
                found[key] = _said(kind, key, told["n"][0])
        return found

    def loose(self, nodes: Sequence[Node]) -> set[Node]:
        """See roles.Graph."""
        found = set()
        for kind in dict.fromkeys(node.kind for node in nodes):
            keys = [node.key for node in nodes if node.kind == kind]
            told = self._each(self.reads.loose(kind), keys)
            found |= {Node(kind, key) for key, one in told if one["n"] and not one["e"]}
        return found

    def elsewhere(self, nodes: Sequence[Node], first: int, last: int, *, standing: bool = False) -> set[Node]:
        """See roles.Graph."""
        found, low, high = set(), place(self.journal, first), place(self.journal, last)
        stand, end = ("", "") if standing else (place(self.journal, 0), place(self.journal, 1))
        for kind in dict.fromkeys(node.kind for node in nodes):
            keys = [node.key for node in nodes if node.kind == kind]
            told = self._each(self.reads.elsewhere(kind), keys, low=low, high=high, stand=stand, end=end)
            found |= {Node(kind, key) for key, one in told if one["e"]}
        return found

    def mend(self, node: Node, names: Sequence[str]) -> None:
        """Take the properties `names` away from `node`, and the node itself when no edge touches it; an agent's session
        is made that of its key."""
        body = self.writes.mended(node.kind, tuple(names)).body(key=node.key, session=node.key.partition("/")[0])
        self.calls.write(body)

    def _each(self, asked: Query, keys: Sequence[str], **values: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        """(key, what is answered by the letters of the question) of each of `keys`."""
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            given = {f"k{number}": some[number] if number < len(some) else "" for number in range(AT_ONCE)}
            told = self.calls.ask(asked, **given, **values)
            letters = {name[0] for name in told}
            for number, key in enumerate(some):
                yield key, {letter: told[f"{letter}{number}"] for letter in letters}

    def _end(self, row: dict[str, Any]) -> Node:
        return Node(self._kind(row["kind"]), str(row["key"]))

    def _kind(self, label: Any) -> str:
        return str(label).removeprefix(self.reads.prefix)


def _mark(row: dict[str, Any], key: Any) -> str:
    return "\0".join((str(key), *(str(row.get(name)) for name in STORED)))


def _said(kind: str, key: str, stored: dict[str, Any]) -> dict[str, str]:
    """The properties of a node but for its key, its label and its number."""
    given = {name: str(value) for name, value in stored.items() if value is not None}
    made = {name: text for name, text in given.items() if name != "key" and not name.startswith("$")}
    if kind == AGENT:
        session = made.pop("session", "")
        if session != key.partition("/")[0]:
            made["session"] = session
    return made
