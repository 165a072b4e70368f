"""The graph in an SQLite file of its own. Standard library only.

An edge is kept once an event: the event's number makes putting it twice harmless, and counts and times are made when
asked; one that stands has the number and the time 0. Nodes are numbered, for a path of 80 bytes would stand in three
indexes otherwise.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from levaithan.stores import sqlite_graph_sql as sql
from levaithan.stores.graph_facts import Edge, Facts, fingerprint, read
from levaithan.stores.roles import GRAPH, Delivery, Rejected
from levaithan.stores.roles.graph import (
    DENIED,
    EDGES,
    Node,
    Reached,
    Similar,
    Standing,
    Step,
    Touch,
    search_blast,
    search_path,
)
from levaithan.stores.sqlite_index import SqliteIndex

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from levaithan.stores.opening import Opening

_SCHEMA = (
    "CREATE TABLE nodes (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, props TEXT, "
    "UNIQUE (kind, key))",
    "CREATE TABLE edges (source INTEGER NOT NULL, kind INTEGER NOT NULL, target INTEGER NOT NULL, "
    "seq INTEGER NOT NULL, at_us INTEGER NOT NULL, PRIMARY KEY (source, kind, target, seq)) WITHOUT ROWID",
    "CREATE INDEX ix_edges_target ON edges (target, kind, source)",
    "CREATE INDEX ix_edges_seq ON edges (seq)",
)
_CANDIDATES = 200
_CHUNK = 400
_PAGE = 1000


class SqliteGraph(SqliteIndex):
    """The Graph role on SQLite."""

    name = GRAPH
    schema_version = "1"
    schema = _SCHEMA
    counted = "SELECT coalesce(max(number), 0) FROM nodes"
    """Of the nodes: they are numbered one by one, and none ever leaves."""

    def put(self, link: sqlite3.Connection, batch: Sequence[Delivery]) -> list[Rejected]:
        """See SqliteIndex."""
        found, rejected = read(batch, self.max_field)
        _put(link, found)
        return rejected

    # -- questions --

    def touched(self, path: str, limit: int = 100) -> list[Touch]:
        """See roles.Graph."""
        return self._touches((sql.TOUCHED, sql.REFUSED.format(where="f.key = :file")), {"file": path}, limit)

    def changed(self, session: str, limit: int = 1000) -> list[Touch]:
        """See roles.Graph."""
        denied = sql.REFUSED.format(where="a.kind = 'Agent' AND a.key >= :low AND a.key < :high")
        return self._touches((sql.CHANGED, denied), _agents_of(session), limit)

    def _touches(self, questions: tuple[str, ...], values: dict[str, Any], limit: int) -> list[Touch]:
        if not self.current():
            return []
        found = []
        for question in questions:
            for agent, file, kind, first, last, count in self.rows(question, {**values, "limit": limit}):
                how = DENIED if isinstance(kind, str) else EDGES[kind]
                found.append(Touch(agent, agent.partition("/")[0], file, how, first, last, count))
        found = sorted(found, key=lambda one: (-one.last_us, one.file, one.agent, one.how))[:limit]
        machines = self._machines({one.session for one in found})
        return [replace(one, machine=machines.get(one.session, "")) for one in found]

    def _machines(self, sessions: set[str]) -> dict[str, str]:
        """session -> the machine that it ran on, where the journal says so."""
        every = sorted(sessions)
        told: dict[str, str | None] = {}
        for start in range(0, len(every), _CHUNK):
            values = {f"k{number}": key for number, key in enumerate(every[start : start + _CHUNK])}
            told.update(self.rows(sql.machines(len(values)), values))
        return {session: machine for session, machine in told.items() if machine}

    def blast(self, node: Node, hops: int = 2, limit: int = 1000) -> list[Reached]:
        """See roles.Graph."""
        return search_blast(self._neighbours, node, hops, limit) if self.current() else []

    def path(self, source: Node, target: Node, most: int = 6) -> list[Step] | None:
        """See roles.Graph."""
        if not self.current() or not self.known(source) or not self.known(target):
            return None
        return search_path(self._neighbours, source, target, most)

    def _neighbours(self, nodes: Sequence[Node]) -> list[Step]:
        steps: list[Step] = []
        for start in range(0, len(nodes), _CHUNK):
            some = nodes[start : start + _CHUNK]
            values: dict[str, object] = {}
            for number, node in enumerate(some):
                values[f"k{number}"], values[f"v{number}"] = node.kind, node.key
            for forward in (True, False):
                for one in self.rows(sql.neighbours(len(some), forward=forward), values):
                    steps.append(Step(Node(one[0], one[1]), EDGES[one[2]], Node(one[3], one[4]), forward))
        return steps

    def similar(self, session: str, limit: int = 10) -> list[Similar]:
        """See roles.Graph."""
        if not self.current():
            return []
        found = []
        values = {**_agents_of(session), "session": session, "most": max(limit, _CANDIDATES)}
        for other, shared, mine in self.rows(sql.SIMILAR, values):
            theirs = int(self.rows(sql.SIZE, _agents_of(other))[0][0])
            union = mine + theirs - shared
            found.append(Similar(other, shared, union, round(shared / union, 6)))
        return sorted(found, key=lambda one: (-one.score, one.session))[:limit]

    def kinds(self) -> dict[str, int]:
        """See roles.Graph."""
        if not self.current():
            return {}
        nodes = dict(self.rows("SELECT kind, count(*) FROM nodes GROUP BY kind ORDER BY kind"))
        edges = self.rows("SELECT kind, count(*) FROM edges GROUP BY kind ORDER BY kind")
        return {**nodes, **{EDGES[kind]: count for kind, count in edges}}

    def known(self, node: Node) -> bool:
        """See roles.Graph."""
        question = "SELECT 1 FROM nodes WHERE kind = :kind AND key = :key"
        return self.current() and bool(self.rows(question, {"kind": node.kind, "key": node.key}))

    # -- the journal against it --

    def expected(self, delivery: Delivery) -> str | None:
        """See roles.Projected."""
        return self._expected(delivery)

    def expected_before(self, delivery: Delivery) -> str | None:
        """See roles.Graph."""
        return self._expected(delivery, repeated=True)

    def _expected(self, delivery: Delivery, *, repeated: bool = False) -> str | None:
        found, _ = read([delivery], self.max_field, repeated=repeated)
        return self.printed(delivery, found[0][1]) if found else None

    def printed(self, _delivery: Delivery, facts: Facts) -> str | None:
        """See roles.Graph. An edge's mark is its time."""
        return fingerprint((edge, str(facts.at_us)) for edge in dict.fromkeys(facts.edges)) if facts.edges else None

    def fingerprints(self, first: int, last: int) -> dict[int, str]:
        """See roles.Projected."""
        if not self.current():
            return {}
        made: dict[int, list[tuple[Edge, str]]] = {}
        for seq, kind, at_us, *ends in self.rows(sql.EDGES_OF, {"first": max(1, first), "last": last}):
            edge = (sql.named(kind), Node(*ends[:2]), Node(*ends[2:]))
            made.setdefault(seq, []).append((edge, str(at_us)))
        return {seq: fingerprint(edges) for seq, edges in made.items()}

    def standing(self) -> Iterator[list[Standing]]:
        """See roles.Graph. They have no numbers."""
        place = {"source": -(1 << 63), "kind": 0, "target": 0}
        while page := self.rows(sql.STANDING, {**place, "limit": _PAGE}) if self.current() else ():
            place = dict(zip(place, page[-1], strict=False))
            yield [
                Standing((sql.named(kind), Node(*ends[:2]), Node(*ends[2:])), 0, at_us == 0)
                for _, kind, _, at_us, *ends in page
            ]

    def lacks(self, edges: Sequence[Edge]) -> set[Edge]:
        """See roles.Graph."""
        return {edge for edge in edges if not self._joined(*edge)}

    def _joined(self, kind: str, source: Node, target: Node) -> bool:
        ends = {"near": source.kind, "source": source.key, "far": target.kind, "target": target.key}
        return self.current() and bool(self.rows(sql.JOINED, {**ends, "kind": sql.NUMBER[kind]}))

    def nodes(self) -> Iterator[list[Node]]:
        """See roles.Graph."""
        after = -(1 << 63)
        while page := self.rows(sql.NODES, {"after": after, "limit": _PAGE}) if self.current() else ():
            after = page[-1][0]
            yield [Node(kind, key) for _, kind, key in page]

    def properties(self, kind: str, keys: Sequence[str]) -> dict[str, dict[str, str]]:
        """See roles.Graph."""
        found: dict[str, dict[str, str]] = {}
        for some in _chunks(keys):
            values = {"kind": kind} | {f"k{number}": key for number, key in enumerate(some)}
            found.update({key: _texts(props) for key, props in self.rows(sql.properties(len(some)), values)})
        return found

    def loose(self, nodes: Sequence[Node]) -> set[Node]:
        """See roles.Graph."""
        return self._those(nodes, sql.LOOSE, {})

    def elsewhere(self, nodes: Sequence[Node], first: int, last: int, *, standing: bool = False) -> set[Node]:
        """See roles.Graph."""
        return self._those(nodes, sql.ELSEWHERE, {"first": first, "last": last, "least": 0 if standing else 1})

    def _those(self, nodes: Sequence[Node], condition: str, values: Mapping[str, object]) -> set[Node]:
        """Those of `nodes` that meet `condition` (see sqlite_graph_sql.those)."""
        found = set()
        for some in _chunks(nodes):
            given = dict(values)
            for number, node in enumerate(some):
                given[f"k{number}"], given[f"v{number}"] = node.kind, node.key
            found |= {Node(*row) for row in self.rows(sql.those(len(some), condition), given)}
        return found


def _chunks(some: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (some[start : start + _CHUNK] for start in range(0, len(some), _CHUNK))


def _texts(props: Any) -> dict[str, str]:
    """A node's properties as they are stored; what is no such thing has the name "", which none has."""
    try:
        made = json.loads(props or "{}")
    except (TypeError, ValueError):
        made = None
    if not isinstance(made, dict):
        return {"": str(props)}
    return {name: text if isinstance(text, str) else json.dumps(text) for name, text in made.items()}


def _put(link: sqlite3.Connection, found: list[tuple[int, Facts]]) -> None:
    nodes: dict[Node, dict[str, str]] = {}
    for _, facts in found:
        for _, source, target in facts.edges + facts.standing:
            nodes.setdefault(source, {})
            nodes.setdefault(target, {})
        for node, props in facts.props.items():
            nodes.setdefault(node, {}).update(props)
    link.executemany(
        "INSERT INTO nodes (kind, key, props) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET "
        "props = json_patch(coalesce(props, '{}'), excluded.props) WHERE excluded.props IS NOT NULL "
        "AND props IS NOT excluded.props",
        [(one.kind, one.key, json.dumps(nodes[one], sort_keys=True) if nodes[one] else None) for one in sorted(nodes)],
    )
    number = {}
    for node in nodes:
        number[node] = link.execute(sql.NUMBER_OF, (node.kind, node.key)).fetchone()[0]
    link.executemany(
        "INSERT OR IGNORE INTO edges VALUES (?, ?, ?, ?, ?)",
        sorted(
            (number[source], sql.NUMBER[kind], number[target], seq, at_us)
            for kind, source, target, seq, at_us in _rows(found)
        ),
    )


def _rows(found: list[tuple[int, Facts]]) -> set[tuple[str, Node, Node, int, int]]:
    """(kind, from, to, number of the record, its time) of each edge; one that stands is of no record."""
    made = {(*edge, seq, facts.at_us) for seq, facts in found for edge in facts.edges}
    return made | {(*edge, 0, 0) for _, facts in found for edge in facts.standing}


def _agents_of(session: str) -> dict[str, Any]:
    """The range of the keys of a session's agents: `session/...`."""
    return {"low": f"{session}/", "high": f"{session}0"}  # "0" follows "/"


def opened(opening: Opening) -> SqliteGraph:
    """The adapter, as the registry asks for it."""
    store = SqliteGraph(opening.path, opening.max_field)
    store.logs = opening.logs
    return store
