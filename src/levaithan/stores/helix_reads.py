"""What is asked of HelixDB. Every question says how many edges it looks at at most. Imports helixdb."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from helixdb import BindingProjection, Expr, Order, Predicate, SourcePredicate, g, read_batch

from levaithan.stores.helix_query import TEXT, TEXTS, Query, by_key
from levaithan.stores.helix_writes import CURSOR, PLACE, SCHEMA
from levaithan.stores.roles.graph import AGENT, DECISION, DENIED, EDGES, FILE, LEASED, READ, SPREADS, WROTE

if TYPE_CHECKING:
    from collections.abc import Sequence

TOUCHES = (READ, WROTE, DENIED, LEASED)
MOST_EDGES = 100_000
"""Edges that a question looks at, the last ones where times matter."""
MOST_FILES = 5_000
"""Files of a session that it is compared by."""


class Reads:
    """The questions to the graph whose labels begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._touching = Predicate.is_in("$label", [prefix + kind for kind in TOUCHES])
        self._spreading = Predicate.is_in("$label", [prefix + kind for kind in SPREADS])
        self._known: dict[str, Query] = {}
        self._steps: dict[tuple[str, ...], Query] = {}

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
        return Query(read_batch().var_as("count", found.count()).returning(["count"]))

    def known(self, kind: str) -> Query:
        """`found`: whether there is a node of `kind` with the key."""
        if kind not in self._known:
            asked = read_batch().var_as("found", by_key(self.prefix + kind).exists()).returning(["found"])
            self._known[kind] = Query(asked, {"key": TEXT})
        return self._known[kind]

    # -- who touched what. After a `bind` HelixDB sorts no more, so ends that were passed are joined by their ids --

    @cached_property
    def touched(self) -> Query:
        """`direct` and `refused` touches of the file `key`, the last ones: agent, how, at_us, machine."""
        file = by_key(self.prefix + FILE)
        direct = _last(file.in_e().where(self._touching)).bind("edge").in_n()
        refused = _last(file.in_e(self.prefix + DENIED)).bind("edge").in_n().has_label(self.prefix + DECISION)
        refused = refused.in_(self.prefix + DENIED)
        asked = read_batch()
        for name, agents in (("direct", direct), ("refused", refused)):
            found = agents.has_label(self.prefix + AGENT).bind("agent")
            asked = asked.var_as(name, found.project_bindings([*_TOUCH, _of("agent", "key", "agent")]))
        return Query(asked.returning(["direct", "refused"]), {"key": TEXT})

    @cached_property
    def changed(self) -> Query:
        """`direct` and `refused` touches by the session `key`, the last ones: from (id), file, how, at_us, machine;
        `agents` (id, key) they come from, and `decided`: which agent (from) a decision (to) was about."""
        agents = g().n_with_label_where(self.prefix + AGENT, SourcePredicate.eq("session", Expr.param("key")))
        denied = self.prefix + DENIED
        direct = _last(agents.out_e().where(self._touching)).bind("edge").out_n()
        refused = _last(agents.out(denied).has_label(self.prefix + DECISION).out_e(denied)).bind("edge").out_n()
        asked = read_batch()
        for name, files in (("direct", direct), ("refused", refused)):
            found = files.has_label(self.prefix + FILE).bind("file")
            asked = asked.var_as(name, found.project_bindings([*_TOUCH, _of("file", "key", "file")]))
        asked = asked.var_as("agents", agents.value_map(["$id", "key"]))
        asked = asked.var_as("decided", _last(agents.out_e(denied)).value_map(["$from", "$to"]))
        return Query(asked.returning(["direct", "refused", "agents", "decided"]), {"key": TEXT})

    def _agents(self, which: Predicate) -> Any:
        return g().n_with_label_where(self.prefix + AGENT, which).bind("agent")

    # -- along the edges --

    def steps(self, kinds: Sequence[str]) -> Query:
        """`out_<kind>` and `in_<kind>` for each of `kinds`: the steps away from the nodes whose keys are the parameter
        `keys_<kind>`."""
        key = tuple(kinds)
        if key not in self._steps:
            asked, types = read_batch(), dict[str, Any]()
            for kind in kinds:
                types[f"keys_{kind}"] = TEXTS
                within = SourcePredicate.is_in_param("key", f"keys_{kind}")
                near = g().n_with_label_where(self.prefix + kind, within).bind("near")
                for way, edges in (("out", near.out_e()), ("in", near.in_e())):
                    some = edges.where(self._spreading).limit(MOST_EDGES).bind("edge")
                    far = (some.out_n() if way == "out" else some.in_n()).bind("far")
                    asked = asked.var_as(f"{way}_{kind}", far.project_distinct_bindings(_STEP))
            names = [f"{way}_{kind}" for kind in kinds for way in ("out", "in")]
            self._steps[key] = Query(asked.returning(names), types)
        return self._steps[key]

    # -- sessions alike --

    @cached_property
    def shared(self) -> Query:
        """`mine`: the files (ids) that the session `key` touched; `others`: which other sessions touched them."""
        mine = self._agents(SourcePredicate.eq("session", Expr.param("key"))).out_e().where(self._touching)
        files = mine.limit(MOST_EDGES).out_n().has_label(self.prefix + FILE).dedup().limit(MOST_FILES)
        who = g().n("files").bind("file").in_e().where(self._touching).limit(MOST_EDGES).in_n()
        others = who.has_label(self.prefix + AGENT).bind("agent")
        asked = (
            read_batch()
            .var_as("files", files)
            .var_as("mine", g().n("files").id())
            .var_as("others", others.project_distinct_bindings(_FILE_OF_SESSION))
        )
        return Query(asked.returning(["mine", "others"]), {"key": TEXT})

    @cached_property
    def sizes(self) -> Query:
        """`files`: each file of the sessions `keys`."""
        edges = self._agents(SourcePredicate.is_in_param("session", "keys")).out_e().where(self._touching)
        files = edges.limit(MOST_EDGES).out_n().has_label(self.prefix + FILE).bind("file")
        asked = read_batch().var_as("files", files.project_distinct_bindings(_FILE_OF_SESSION))
        return Query(asked.returning(["files"]), {"keys": TEXTS})

    # -- the journal against it --

    @cached_property
    def edges(self) -> Query:
        """`from_<kind>` and `to_<kind>`: both ends of every edge between the places `low` and `high`."""
        asked, names = read_batch(), []
        for kind in EDGES:
            within = SourcePredicate.between("place", Expr.param("low"), Expr.param("high"))
            edges = g().e_with_label_where(self.prefix + kind, within).bind("edge")
            asked = asked.var_as(f"from_{kind}", edges.in_n().bind("end").project_bindings(_END))
            asked = asked.var_as(f"to_{kind}", edges.out_n().bind("end").project_bindings(_END))
            names += [f"from_{kind}", f"to_{kind}"]
        return Query(asked.returning(names), {"low": TEXT, "high": TEXT})


def _of(name: str, source: str, alias: str) -> BindingProjection:
    return BindingProjection.binding(name, source, alias)


_TOUCH = [
    _of("edge", "$from", "from"), _of("edge", "$label", "how"), _of("edge", "at_us", "at_us"),
    _of("edge", "machine", "machine"),
]  # fmt: skip
_STEP = [
    _of("near", "key", "near"), _of("edge", "$label", "edge"), _of("far", "$label", "kind"), _of("far", "key", "far"),
]  # fmt: skip
_END = [
    _of("edge", "$id", "id"), _of("edge", "place", "place"), _of("end", "$label", "kind"), _of("end", "key", "key"),
]  # fmt: skip
_FILE_OF_SESSION = [_of("agent", "session", "session"), _of("file", "$id", "file")]


def _last(edges: Any) -> Any:
    return edges.order_by("at_us", Order.DESC).limit(MOST_EDGES)
