"""The nodes that a journal makes, held against those of a graph: which there are, and their properties; and the edges
that stand (graph_facts.Facts).

A node is of many records, and a later one may change what an earlier one said. The journal is gone through anew, by
the rules that the graph itself goes by (stores.graph_facts). A property may have each value that a record says, for the
last to arrive wins and a dead letter may arrive late; nearly always there is one. What only others' records can tell is
not compared: a property that this journal does not name, or another value of one, on a node that records outside of
the window touch too, another machine's, those that were pruned, or newer ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.journal.identity import beginning, journal_id
from levaithan.projector import feed
from levaithan.projector.lacking import Lacking
from levaithan.projector.scratch import Scratch, Window
from levaithan.stores.graph_facts import MAIN, PROPERTIES, STANDS, read
from levaithan.stores.roles.graph import AGENT, SESSION, Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.stores.graph_facts import Edge, Facts
    from levaithan.stores.roles import Cursor, Delivery
    from levaithan.stores.roles.graph import Standing

    Said = dict[str, set[str]]
    """A property's name -> the values that records say."""

_SCHEMA = (
    "CREATE TABLE nodes (kind TEXT, key TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID",
    "CREATE TABLE said (kind TEXT, key TEXT, name TEXT, value TEXT, PRIMARY KEY (kind, key, name, value)) "
    "WITHOUT ROWID",
    "CREATE TABLE stands (kind TEXT, near TEXT, source TEXT, far TEXT, target TEXT, seen INTEGER DEFAULT 0, "
    "PRIMARY KEY (kind, near, source, far, target)) WITHOUT ROWID",
)
_SEEN = (
    "UPDATE stands SET seen = seen + 1 WHERE kind = ? AND near = ? AND source = ? AND far = ? AND target = ? "
    "RETURNING seen"
)
_UNSEEN = "SELECT kind, near, source, far, target FROM stands WHERE NOT seen ORDER BY kind, near, source, far, target"
_PAGE = 500
_BATCH_BYTES = 1 << 20
_MOST_KEPT = 10_000
_SAID = "SELECT key, name, value FROM said WHERE kind = ? AND key BETWEEN ? AND ?"


class Nodes(Scratch):
    """The nodes of one journal, and the edges that stand, as far as it was `put`."""

    def __init__(self) -> None:
        super().__init__()
        for statement in _SCHEMA:
            self.file.execute(statement)

        self._behind: set[Edge] = set()
        self._after: Cursor | None = None
        self._kept: dict[tuple[int, bool], Facts | None] = {}

    def watch(self, graph: Any) -> Any:
        """`graph`, but what its `expected` reads of a record is kept until `put`, which needs the same."""
        return _Watched(graph, self._kept)

    def put(self, _read: Sequence[Delivery], taken: Sequence[Delivery], max_field: int) -> None:
        """Take the nodes of the records `taken`."""
        nodes, stands = set(), set()
        said: set[tuple[str, ...]] = set()
        for one in taken:
            place = (one.seq, one.sanitized)
            facts = self._kept[place] if place in self._kept else _facts(one, max_field)
            if facts is None:
                continue
            stands |= {_flat(edge) for edge in facts.standing}
            for _, source, target in facts.edges + facts.standing:
                nodes.add(source)
                nodes.add(target)
            for node, props in facts.props.items():
                nodes.add(node)
                said |= {(*node, name, value) for name, value in props.items()}
        self._kept.clear()
        self.file.execute("BEGIN")
        self.file.executemany("INSERT OR IGNORE INTO nodes VALUES (?, ?)", sorted(nodes))
        self.file.executemany("INSERT OR IGNORE INTO said VALUES (?, ?, ?, ?)", sorted(said))
        self.file.executemany("INSERT OR IGNORE INTO stands VALUES (?, ?, ?, ?, ?, 0)", sorted(stands))
        self.file.execute("COMMIT")

    def count(self) -> int:
        """How many there are of both."""
        asked = "SELECT (SELECT count(*) FROM nodes) + (SELECT count(*) FROM stands)"
        return int(self.file.execute(asked).fetchone()[0])

    def differing(self, graph: Any, window: Window) -> Iterator[tuple[str, str]]:
        """("nodes", kind and key) of each node that the graph lacks, holds with other properties, or holds though
        nobody made it: no edge touches it; ("edges", kind and ends) of each edge that should stand and does not, or
        does though no record says it, or is kept otherwise than it was put."""
        for node in self._differing(graph, window):
            yield "nodes", f"{node.kind} {node.key}"
        lacking, wrong = self._standing(graph, window)
        for kind, source, target in sorted(lacking | {one.edge for one in wrong}):
            yield "edges", f"{kind} {source.key} {target.key}"

    def _standing(self, graph: Any, window: Window) -> tuple[set[Edge], list[Standing]]:
        """The edges that should stand and do not, and those that are wrong, or there twice. One that only records
        outside of the window can tell is not wrong; one that an earlier version put among a record's edges is there."""
        wrong: list[Standing] = []
        for page in graph.standing():
            unsaid = [one for one in page if not one.whole or self._seen(one.edge) != 1]
            if unsaid:
                self._read_behind(window, graph.max_field)
            wrong += [one for one in unsaid if not one.whole or not self._of_others(one.edge, window)]
        asked = self.file.execute(_UNSEEN)
        lacking: set[Edge] = set()
        while page := asked.fetchmany(_PAGE):
            lacking |= graph.lacks([(kind, Node(*ends[:2]), Node(*ends[2:])) for kind, *ends in page])
        return lacking, wrong

    def _seen(self, edge: Edge) -> int:
        """This edge stands: how many times it was seen by now, 0 where no record says it."""
        found = self.file.execute(_SEEN, _flat(edge)).fetchone()
        return int(found[0]) if found else 0

    def _of_others(self, edge: Edge, window: Window) -> bool:
        """Whether a record outside of the window says, or may have said, that this edge stands, and none within."""
        kind, source, target = edge
        pruned = window.pruned() and STANDS.get(kind) == (source.kind, target.kind)
        return (pruned or edge in self._behind) and not self._seen(edge)

    def _read_behind(self, window: Window, max_field: int) -> None:
        """Note what the records behind the window say of edges that stand: a graph that follows the journal has it."""
        at = self._after or window.after
        source = feed.Feed(window.directory)
        while at is not None:
            batch, at = source.batch(at, _BATCH_BYTES)
            if not batch:
                break
            self._after = at
            for one in batch:
                if facts := _facts(one, max_field):
                    self._behind.update(facts.standing)

    def _differing(self, graph: Any, window: Window) -> Iterator[Node]:
        for kind, keys in self._pages():
            said, there = self._said(kind, keys), graph.properties(kind, keys)
            wrong = [key for key in keys if not _fits(there.get(key), said.get(key, {}))]
            sure = {key for key in wrong if _impossible(kind, there.get(key), said.get(key, {}))}
            unsure = [Node(kind, key) for key in wrong if key not in sure]
            other = [node for node in unsure if _otherwise(there[node.key], said.get(node.key, {}))]
            more = [node for node in unsure if node not in other]
            elsewhere = _elsewhere(graph, other, window) if other else set()
            elsewhere |= _elsewhere(graph, more, window, unsaid=True) if more else set()
            if not elsewhere.issuperset(unsure):
                self._read_behind(window, graph.max_field)
                elsewhere |= {node for _, *ends in self._behind for node in ends}
            yield from (node for key in wrong if (node := Node(kind, key)) not in elsewhere)
        for page in graph.nodes():
            unknown = [node for node in page if not self._knows(node)]
            yield from sorted(graph.loose(unknown)) if unknown else ()

    def mend(self, graph: Any, window: Window) -> int:
        """Take away what makes nodes differ, and edges that should not stand, which may leave a node loose; how many.
        See the function `mend`."""
        lacking, unlike = self._standing(graph, window)
        if lacking or unlike:
            right = {one.edge for one in unlike if self._seen(one.edge) or self._of_others(one.edge, window)}
            graph.mend_standing([one.number for one in unlike], lacking | right)
        wrong = len(unlike)
        for node in self._differing(graph, window):
            said, there = self._said(node.kind, [node.key]), graph.properties(node.kind, [node.key])
            names = there.get(node.key, {}).keys() - said.get(node.key, {}).keys()
            if node in _elsewhere(graph, [node], window, unsaid=True):
                names -= set(PROPERTIES[node.kind])
            graph.mend(node, sorted(names))
            wrong += 1
        return wrong

    def _pages(self) -> Iterator[tuple[str, list[str]]]:
        """Some keys of one kind, in their order."""
        for (kind,) in self.file.execute("SELECT DISTINCT kind FROM nodes ORDER BY kind").fetchall():
            asked = self.file.execute("SELECT key FROM nodes WHERE kind = ? ORDER BY key", (kind,))
            while page := asked.fetchmany(_PAGE):
                yield kind, [key for (key,) in page]

    def _said(self, kind: str, keys: list[str]) -> dict[str, Said]:
        found: dict[str, Said] = {}
        for key, name, value in self.file.execute(_SAID, (kind, keys[0], keys[-1])):
            found.setdefault(key, {}).setdefault(name, set()).add(value)
        return found

    def _knows(self, node: Node) -> bool:
        asked = self.file.execute("SELECT 1 FROM nodes WHERE kind = ? AND key = ?", node)
        return asked.fetchone() is not None


class _Watched:
    """See Nodes.watch."""

    def __init__(self, graph: Any, kept: dict[tuple[int, bool], Facts | None]) -> None:
        self._graph = graph
        self._kept = kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._graph, name)

    def expected(self, delivery: Delivery) -> str | None:
        facts = _facts(delivery, self._graph.max_field)
        if len(self._kept) < _MOST_KEPT:
            self._kept[delivery.seq, delivery.sanitized] = facts
        return None if facts is None else self._graph.printed(delivery, facts)


def _facts(delivery: Delivery, max_field: int) -> Facts | None:
    found, _ = read([delivery], max_field)
    return found[0][1] if found else None


def mend(directory: str, graph: Any) -> int:
    """Take away what no record of the journal in `directory` says and `graph`, which was rewritten in place, still has:
    nodes without an edge, properties, and edges that stand. How many of both. Raises StoreError, and OSError."""
    until = graph.cursor()
    if until is None:
        return 0
    window = Window(directory, journal_id(directory), beginning(directory)[1] or 1, until.seq, until)
    source, at, seen = feed.Feed(directory), None, 0
    waits = Lacking(graph).waits
    with Nodes() as nodes:
        while seen < until.seq:
            batch, at = source.batch(at, _BATCH_BYTES)
            if not batch:
                break
            nodes.put(batch, [one for one in batch if not waits(one)], graph.max_field)
            seen = max(seen, *(one.seq for one in batch))
        return nodes.mend(graph, window)


def _flat(edge: Edge) -> tuple[str, str, str, str, str]:
    kind, source, target = edge
    return kind, *source, *target


def _otherwise(there: dict[str, str], said: Said) -> bool:
    """Whether a property that records name has a value that none of them says."""
    return any(there[name] not in values for name, values in said.items())


def _elsewhere(graph: Any, nodes: Sequence[Node], window: Window, *, unsaid: bool = False) -> set[Node]:
    """Those of `nodes` that records outside of the window touch, a session by its agent; `unsaid`: where these may have
    been pruned, an edge that stands is enough to think so."""
    main = {Node(AGENT, f"{node.key}/{MAIN}"): node for node in nodes if node.kind == SESSION}
    asked = list(dict.fromkeys([*nodes, *main]))
    found: set[Node] = graph.elsewhere(asked, window.first, window.last, standing=unsaid and window.pruned())
    return found | {main[node] for node in found if node in main}


def _fits(there: dict[str, str] | None, said: Said) -> bool:
    """Whether these are the properties that records say: no other names, and of each a value that one says."""
    return there is not None and there.keys() == said.keys() and all(there[name] in said[name] for name in said)


def _impossible(kind: str, there: dict[str, str] | None, said: Said) -> bool:
    """Whether no record of anybody can have made it so: what was once said is never taken away, and what a kind of
    node has not is never said."""
    return there is None or bool(said.keys() - there.keys()) or not there.keys() <= set(PROPERTIES.get(kind, ()))
