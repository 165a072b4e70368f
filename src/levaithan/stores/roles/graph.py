"""The graph: who touched what. Nodes and edges are facts of single events; what is asked is who, what, and how far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from levaithan.stores.roles.projected import Projected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.stores.graph_facts import Edge, Facts
    from levaithan.stores.roles.projected import Delivery

AGENT, SESSION, TASK, FILE, TOOL, DECISION, INCIDENT = (
    "Agent", "Session", "Task", "File", "Tool", "Decision", "Incident",
)  # fmt: skip
KINDS = (AGENT, SESSION, TASK, FILE, TOOL, DECISION, INCIDENT)
RAN, SPAWNED, CALLED, READ, WROTE, DENIED, LEASED, PART_OF, CAUSED = (
    "RAN", "SPAWNED", "CALLED", "READ", "WROTE", "DENIED", "LEASED", "PART_OF", "CAUSED",
)  # fmt: skip
EDGES = (RAN, SPAWNED, CALLED, READ, WROTE, DENIED, LEASED, PART_OF, CAUSED)
SPREADS = (RAN, SPAWNED, READ, WROTE, DENIED, LEASED, PART_OF, CAUSED)
"""The edges that a path or a blast radius follows, in both directions. Not CALLED: every agent calls Bash, and all
would be two hops from each other."""


class Node(NamedTuple):
    """A thing by its kind (see KINDS) and key: a session's id, `session/agent`, `session/task`, a file's absolute path,
    a tool's name, the id of the event a decision was made for, an incident's id."""

    kind: str
    key: str


@dataclass(slots=True, frozen=True)
class Touch:
    """What one agent did to one file, or a file that a session touched. `how`: READ, WROTE, DENIED or LEASED; times in
    microseconds since 1970, UTC; count: events."""

    agent: str
    session: str
    file: str
    how: str
    first_us: int
    last_us: int
    count: int
    machine: str = ""


@dataclass(slots=True, frozen=True)
class Reached:
    """A node within a blast radius: how many hops away, and over which edge from which node it was reached first."""

    node: Node
    hops: int
    edge: str
    via: Node


@dataclass(slots=True, frozen=True)
class Step:
    """One edge of a path, from one node to the next; `forward` is False where it points the other way."""

    source: Node
    edge: str
    target: Node
    forward: bool


@dataclass(slots=True, frozen=True)
class Similar:
    """A session that touched some of the same files: how many, of how many in all, and the share (Jaccard's index)."""

    session: str
    shared: int
    union: int
    score: float


class Standing(NamedTuple):
    """An edge that stands: its number in the store, and whether what is kept of it is what was put."""

    edge: Edge
    number: int
    whole: bool


class Graph(Projected, Protocol):
    """Who touched what. Every answer is bounded by `limit`."""

    def touched(self, path: str, limit: int = 100) -> list[Touch]:
        """Who touched the file `path` (absolute), the last first."""

    def changed(self, session: str, limit: int = 1000) -> list[Touch]:
        """The files that `session` wrote, read or was denied, the last first."""

    def blast(self, node: Node, hops: int = 2, limit: int = 1000) -> list[Reached]:
        """What is within `hops` edges of `node`, the nearest first (see SPREADS)."""

    def path(self, source: Node, target: Node, most: int = 6) -> list[Step] | None:
        """A shortest path over SPREADS, of at most `most` edges; [] from a node to itself, None where there is none."""

    def similar(self, session: str, limit: int = 10) -> list[Similar]:
        """Sessions that touched the same files, the most alike first."""

    def kinds(self) -> dict[str, int]:
        """How many nodes of each kind and edges of each kind there are."""

    def known(self, node: Node) -> bool:
        """Whether the graph has `node`."""

    # The journal against it, beside `fingerprints`

    def printed(self, delivery: Delivery, facts: Facts) -> str | None:
        """What `expected` says of a record whose facts have been read: of its edges, not of those that stand."""

    def expected_before(self, delivery: Delivery) -> str | None:
        """What `expected` would say had an earlier version put the record: it said more, and none of it was wrong."""

    def standing(self) -> Iterator[list[Standing]]:
        """The edges that stand in `journal` (graph_facts.Facts), some at a time, in no order."""

    def lacks(self, edges: Sequence[Edge]) -> set[Edge]:
        """Those of `edges` that are not there at all, whatever record or journal they may be of."""

    def nodes(self) -> Iterator[list[Node]]:
        """All nodes, some at a time, in no order."""

    def properties(self, kind: str, keys: Sequence[str]) -> dict[str, dict[str, str]]:
        """key -> the properties that are stored, of those nodes of `kind` that there are. Beside those that records say
        (graph_facts.PROPERTIES) there are only such as nobody put there."""

    def loose(self, nodes: Sequence[Node]) -> set[Node]:
        """Those of `nodes` that no edge touches, whoever's. No record makes such a node."""

    def elsewhere(self, nodes: Sequence[Node], first: int, last: int, *, standing: bool = False) -> set[Node]:
        """Those of `nodes` that an edge touches which is not of the records `first` to `last` of `journal`; with
        `standing` one that stands there will do too: a record that is gone may have said it."""


def search_path(neighbours: Neighbours, source: Node, target: Node, most: int) -> list[Step] | None:
    """A shortest path by breadth-first search from both ends at once; see Graph.path. `neighbours` gives the steps that
    lead away from each of some nodes, so that a level costs one question."""
    if source == target:
        return []
    ahead: dict[Node, Step | None] = {source: None}
    behind: dict[Node, Step | None] = {target: None}
    front, back = [source], [target]
    for _ in range(most):
        if not front or not back:
            return None
        if len(front) <= len(back):
            front = _grow(neighbours, front, ahead)
            met = next((node for node in front if node in behind), None)
        else:
            back = _grow(neighbours, back, behind)
            met = next((node for node in back if node in ahead), None)
        if met is not None:
            return [*_from(ahead, met), *_to(behind, met)]
    return None


def _grow(neighbours: Neighbours, front: list[Node], known: dict[Node, Step | None]) -> list[Node]:
    fresh = []
    for step in neighbours(front):
        if step.target not in known:
            known[step.target] = step
            fresh.append(step.target)
    return fresh


def _from(known: dict[Node, Step | None], met: Node) -> list[Step]:
    steps = []
    while (step := known[met]) is not None:
        steps.append(step)
        met = step.source
    return steps[::-1]


def _to(known: dict[Node, Step | None], met: Node) -> list[Step]:
    """The steps were found from the other end: turned round."""
    steps = []
    while (step := known[met]) is not None:
        steps.append(Step(step.target, step.edge, step.source, not step.forward))
        met = step.source
    return steps


def search_blast(neighbours: Neighbours, node: Node, hops: int, limit: int) -> list[Reached]:
    """A blast radius by breadth-first search, a question a level; see Graph.blast."""
    seen, front, found = {node}, [node], list[Reached]()
    for hop in range(1, hops + 1):
        fresh = []
        for step in neighbours(front):
            if step.target not in seen:
                seen.add(step.target)
                fresh.append(step.target)
                found.append(Reached(step.target, hop, step.edge, step.source))
                if len(found) == limit:
                    return found
        front = fresh
        if not front:
            break
    return found


class Neighbours(Protocol):
    """The steps over SPREADS that lead away from `nodes`, to either side."""

    def __call__(self, nodes: Sequence[Node]) -> list[Step]: ...
