"""What is asked of HelixDB. Every question says how many edges it looks at at most. Imports helixdb."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from helixdb import BindingProjection, Expr, NodeRef, Order, Predicate, SourcePredicate, g, read_batch, sub

from levaithan.stores.helix_query import NUMBER, NUMBERS, TEXT, Query, by_key
from levaithan.stores.helix_writes import CURSOR, PLACE, SCHEMA
from levaithan.stores.roles.graph import AGENT, DECISION, DENIED, EDGES, FILE, LEASED, READ, SPREADS, WROTE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TOUCHES = (READ, WROTE, DENIED, LEASED)
MOST_EDGES = 100_000
"""Edges of a kind that a question about touches looks at, the last ones."""
MOST_NODES = 100_000
"""Neighbours over one kind of edge that a question goes on with."""
SESSIONS = 20
"""Sessions that one question for their files names: an index is used for a short list only."""
NUMBERED = 1_000_000
"""Nodes of a kind whose numbers are listed at once. HelixDB looks at all of the kind each time: 30 microseconds a
node. Nothing else in it pages: neither a number nor a key that is more than another one spares it that."""
NODES = 5_000
"""Nodes that are looked up by their numbers at once: 50 microseconds a node, however many there are."""
AT_ONCE = 50
"""Nodes that one question looks up by their keys."""
MOST_FILES = 5_000
"""Files of a session that it is compared by."""


class Reads:
    """The questions to the graph whose labels begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._known: dict[str, Query] = {}

    @cached_property
    def version(self) -> Query:
        """`version`: of the schema; empty where there is none."""
        found = by_key(self.prefix + SCHEMA).value_map(["version"])
        return Query(read_batch().var_as("version", found).returning(["version"]), {"key": TEXT})

    @cached_property
    def cursor(self) -> Query:
        """`cursor`: a journal's place."""
        found = by_key(self.prefix + CURSOR).value_map(["key", "writes", *PLACE])
        return Query(read_batch().var_as("cursor", found).returning(["cursor"]), {"key": TEXT})

    @cached_property
    def put(self) -> Query:
        """`put`: how many edges each journal has put."""
        found = g().n_with_label(self.prefix + CURSOR).value_map(["put"])
        return Query(read_batch().var_as("put", found).returning(["put"]))

    def operations(self, ids: Sequence[str]) -> Query:
        """`i0`, `i1`...: how the making of each index stands."""
        asked = read_batch()
        for number, one in enumerate(ids):
            asked = asked.var_as(f"i{number}", g().get_index_operation(one))
        return Query(asked.returning([f"i{number}" for number in range(len(ids))]))

    def count(self, kind: str) -> Query:
        """`count`: of the nodes or edges of a kind. HelixDB looks at each."""
        label = self.prefix + kind
        found = g().e_with_label(label) if kind in EDGES else g().n_with_label(label)
        return Query(read_batch().var_as("count", found.count()).returning(["count"]), whole=True)

    def known(self, kind: str) -> Query:
        """`found`: the number that HelixDB gave the node of `kind` with the key; empty where there is none."""
        if kind not in self._known:
            asked = read_batch().var_as("found", by_key(self.prefix + kind).id()).returning(["found"])
            self._known[kind] = Query(asked, {"key": TEXT})
        return self._known[kind]

    # -- who touched what. After a `bind` HelixDB sorts no more, so ends that were passed are joined by their ids --

    @cached_property
    def touched(self) -> Query:
        """`direct_<how>` and `refused` touches of the file `key`, the last ones: agent, how, at_us, machine."""
        file, denied = by_key(self.prefix + FILE), self.prefix + DENIED
        ends = {f"direct_{how}": _last(file.in_e(self.prefix + how)).bind("edge").in_n() for how in TOUCHES}
        refused = _last(file.in_e(denied)).bind("edge").in_n().has_label(self.prefix + DECISION)
        ends["refused"] = refused.in_(denied)
        asked = read_batch()
        for name, agents in ends.items():
            found = agents.has_label(self.prefix + AGENT).bind("agent")
            asked = asked.var_as(name, found.project_bindings([*_TOUCH, _of("agent", "key", "agent")]))
        return Query(asked.returning([*ends]), {"key": TEXT})

    @cached_property
    def changed(self) -> Query:
        """`direct_<how>` and `refused` touches by the session `key`, the last ones: from (id), file, how, at_us,
        machine; `agents` (id, key) they come from, and `decided`: which agent (from) a decision (to) was about."""
        agents, denied = self._agents(SourcePredicate.eq("session", Expr.param("key"))), self.prefix + DENIED
        ends = {f"direct_{how}": _last(agents.out_e(self.prefix + how)).bind("edge").out_n() for how in TOUCHES}
        decisions = agents.out(denied).has_label(self.prefix + DECISION)
        ends["refused"] = _last(decisions.out_e(denied)).bind("edge").out_n()
        asked = read_batch()
        for name, files in ends.items():
            found = files.has_label(self.prefix + FILE).bind("file")
            asked = asked.var_as(name, found.project_bindings([*_TOUCH, _of("file", "key", "file")]))
        asked = asked.var_as("agents", agents.value_map(["$id", "key"]))
        asked = asked.var_as("decided", _last(agents.out_e(denied)).value_map(["$from", "$to"]))
        return Query(asked.returning([*ends, "agents", "decided"]), {"key": TEXT})

    def _agents(self, which: Predicate) -> Any:
        return g().n_with_label_where(self.prefix + AGENT, which)

    # -- from node to node: a step gives each neighbour once, however many edges lead there; over edges and a filter on
    # their kind the same costs seven times as much --

    @cached_property
    def steps(self) -> Query:
        """`out_<edge>` and `in_<edge>` for each of SPREADS: near (id), far (id), kind and key of the steps away from
        the nodes `ids`. By ids: for a list of keys that is a parameter HelixDB scans."""
        asked, names, near = read_batch(), [], g().n(NodeRef.param("ids")).bind("near")
        for edge in SPREADS:
            for way, far in (("out", near.out(self.prefix + edge)), ("in", near.in_(self.prefix + edge))):
                names.append(f"{way}_{edge}")
                asked = asked.var_as(names[-1], far.limit(MOST_NODES).bind("far").project_distinct_bindings(_STEP))
        return Query(asked.returning(names), {"ids": NUMBERS})

    @cached_property
    def shared(self) -> Query:
        """`mine`: the files (ids) that the session `key` touched; `others_<how>`: which sessions touched them too."""
        agents = self._agents(SourcePredicate.eq("session", Expr.param("key")))
        files = agents.union([sub().out(self.prefix + how) for how in TOUCHES]).has_label(self.prefix + FILE)
        asked = read_batch().var_as("files", files.dedup().limit(MOST_FILES)).var_as("mine", g().n("files").id())
        for how in TOUCHES:
            others = g().n("files").bind("file").in_(self.prefix + how).has_label(self.prefix + AGENT)
            found = others.limit(MOST_NODES).bind("agent").project_distinct_bindings(_FILE_OF_SESSION)
            asked = asked.var_as(f"others_{how}", found)
        return Query(asked.returning(["mine", *(f"others_{how}" for how in TOUCHES)]), {"key": TEXT})

    def sizes(self, sessions: Sequence[str]) -> Query:
        """`files_<how>`: each file of `sessions`, SESSIONS at most. They stand in the text: see `steps`."""
        asked, agents = read_batch(), self._agents(SourcePredicate.is_in("session", list(sessions))).bind("agent")
        for how in TOUCHES:
            files = agents.out(self.prefix + how).has_label(self.prefix + FILE).limit(MOST_NODES).bind("file")
            asked = asked.var_as(f"files_{how}", files.project_distinct_bindings(_FILE_OF_SESSION))
        return Query(asked.returning([f"files_{how}" for how in TOUCHES]))

    # -- the journal against it --

    @cached_property
    def edges(self) -> Query:
        """`from_<kind>` and `to_<kind>`: both ends of every edge between the places `low` and `high`; with the first
        what is stored of the edge."""
        asked, names = read_batch(), []
        for kind in EDGES:
            within = SourcePredicate.between("place", Expr.param("low"), Expr.param("high"))
            edges = g().e_with_label_where(self.prefix + kind, within).bind("edge")
            asked = asked.var_as(f"from_{kind}", edges.in_n().bind("end").project_bindings([*_END, *_STORED]))
            asked = asked.var_as(f"to_{kind}", edges.out_n().bind("end").project_bindings(_END))
            names += [f"from_{kind}", f"to_{kind}"]
        return Query(asked.returning(names), {"low": TEXT, "high": TEXT})

    def joined(self, kind: str, near: str, far: str, *, forward: bool) -> Query:
        """`n0`, `n1`, ...: the node of the kind `far` with the key `f0`, ... that an edge of `kind` joins to the node
        of the kind `near` with the key `k0`, ..., which is where it begins when `forward`."""

        def found(key: str) -> Any:
            node, label = by_key(self.prefix + near, key), self.prefix + kind
            ends = node.out(label) if forward else node.in_(label)
            return ends.has_label(self.prefix + far).where(Predicate.eq_param("key", f"f{key[1:]}")).limit(1).id()

        ends = {f"f{number}": TEXT for number in range(AT_ONCE)}
        return self._of_each(f"joined {kind} {near} {far} {forward}", {"n": found}, whole=True, **ends)

    def numbers(self, kind: str) -> Query:
        """`numbers`: of at most NUMBERED nodes of `kind`, those after the number `after`, the least first."""
        after = Predicate.gt_param("$id", "after")
        found = g().n_with_label(self.prefix + kind).where(after).order_by("$id", Order.ASC).limit(NUMBERED)
        asked = read_batch().var_as("numbers", found.id()).returning(["numbers"])
        return Query(asked, {"after": NUMBER}, whole=True)

    @cached_property
    def nodes(self) -> Query:
        """`nodes`: the key of each of the nodes `ids` that is there."""
        found = g().n(NodeRef.param("ids")).value_map(["key"])
        return Query(read_batch().var_as("nodes", found).returning(["nodes"]), {"ids": NUMBERS})

    def properties(self, kind: str) -> Query:
        """`n0`, `n1`, ...: all that is stored of the node of `kind` with the key `k0`, `k1`, ... (AT_ONCE of them)."""
        return self._of_each(f"properties {kind}", {"n": lambda key: by_key(self.prefix + kind, key).value_map()})

    def loose(self, kind: str) -> Query:
        """`n0`, ...: the node of `kind` with the key `k0`, ..., and `e0`, ...: a neighbour. Not an edge: of a node with
        100,000 edges HelixDB looks at all of them for the first one, three seconds long."""

        def node(key: str) -> Any:
            return by_key(self.prefix + kind, key)

        return self._of_each(
            f"loose {kind}", {"n": lambda key: node(key).id(), "e": lambda key: node(key).both().limit(1).id()}
        )

    def elsewhere(self, kind: str) -> Query:
        """`e0`, ...: an edge of the node of `kind` with the key `k0`, ... that is not of the places `low` to `high`,
        nor of those from `stand` to before `end`."""
        apart = Predicate.or_([Predicate.lt_param("place", "stand"), Predicate.gte_param("place", "end")])
        before = Predicate.and_([Predicate.lt_param("place", "low"), apart])
        outside = Predicate.or_([before, Predicate.gt_param("place", "high")])
        asked = {"e": lambda key: by_key(self.prefix + kind, key).both_e().where(outside).limit(1).id()}
        return self._of_each(f"elsewhere {kind}", asked, whole=True, low=TEXT, high=TEXT, stand=TEXT, end=TEXT)

    def _of_each(
        self, name: str, asked: Mapping[str, Callable[[str], Any]], *, whole: bool = False, **types: Any
    ) -> Query:
        """The same questions for each of AT_ONCE keys: one that names all in a list would be answered by a scan."""
        if name not in self._known:
            batch, names = read_batch(), []
            for number in range(AT_ONCE):
                for letter, make in asked.items():
                    batch = batch.var_as(f"{letter}{number}", make(f"k{number}"))
                    names.append(f"{letter}{number}")
            keys = {f"k{number}": TEXT for number in range(AT_ONCE)}
            self._known[name] = Query(batch.returning(names), keys | types, whole=whole)
        return self._known[name]


def _of(name: str, source: str, alias: str) -> BindingProjection:
    return BindingProjection.binding(name, source, alias)


_TOUCH = [
    _of("edge", "$from", "from"), _of("edge", "$label", "how"), _of("edge", "at_us", "at_us"),
    _of("edge", "machine", "machine"),
]  # fmt: skip
_STEP = [_of("near", "$id", "near"), _of("far", "$id", "far"), _of("far", "$label", "kind"), _of("far", "key", "key")]
_END = [_of("edge", "$id", "id"), _of("end", "$label", "kind"), _of("end", "key", "key")]
STORED = ("place", "journal", "seq", "machine", "event", "at_us")
"""What is stored of an edge beside its own key."""
_STORED = [_of("edge", "key", "edge_key"), *(_of("edge", name, name) for name in STORED)]
_FILE_OF_SESSION = [_of("agent", "session", "session"), _of("file", "$id", "file")]


def _last(edges: Any) -> Any:
    return edges.order_by("at_us", Order.DESC).limit(MOST_EDGES)
