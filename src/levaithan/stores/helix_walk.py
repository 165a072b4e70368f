"""From node to node of the graph on HelixDB, a question a level. Nodes are named by the numbers HelixDB gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from levaithan.stores.roles.graph import EDGES, KINDS, SPREADS, Node, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from levaithan.stores.helix_calls import Calls
    from levaithan.stores.helix_reads import Reads

_CHUNK = 500


class Walk:
    """One walk; a roles.graph.Neighbours. Knows the numbers of the nodes that it found."""

    def __init__(self, calls: Calls, reads: Reads) -> None:
        self._calls = calls
        self._reads = reads
        self._ids: dict[Node, int] = {}

    def begins_at(self, node: Node) -> bool:
        """Whether there is such a node."""
        if node.kind in KINDS:
            for one in self._calls.ask(self._reads.known(node.kind), key=node.key)["found"]:
                self._ids[node] = int(one)
        return node in self._ids

    def __call__(self, nodes: Sequence[Node]) -> list[Step]:
        """The steps away from `nodes`, which were begun at or found."""
        steps: list[Step] = []
        for start in range(0, len(nodes), _CHUNK):
            steps += self._steps(nodes[start : start + _CHUNK])
        return sorted(steps, key=_in_order)

    def _steps(self, nodes: Sequence[Node]) -> Iterable[Step]:
        near = {self._ids[node]: node for node in nodes}
        told = self._calls.ask(self._reads.steps, ids=list(near))
        for edge in SPREADS:
            for way in ("out", "in"):
                for one in told[f"{way}_{edge}"]:
                    far = Node(str(one["kind"]).removeprefix(self._reads.prefix), str(one["key"]))
                    self._ids[far] = int(one["far"])
                    yield Step(near[one["near"]], edge, far, way == "out")


def _in_order(step: Step) -> tuple[bool, Node, int, Node]:
    """Of several edges between two nodes the one that EDGES names first."""
    return not step.forward, step.target, EDGES.index(step.edge), step.source
