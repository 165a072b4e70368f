"""The projector, a comparison and a rebuild with a graph that machines share: HelixDB, on the real engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.servers import fixtures
from tests.support import helix_place
from tests.support.ledger_records import JournalFiles, event

from levaithan.hot.paths import home_at
from levaithan.projector import compare, loop, rebuild
from levaithan.stores import registry
from levaithan.stores.helix_errors import RefusedError
from levaithan.stores.helix_store import HelixStore
from levaithan.stores.roles import GRAPH

fixtures.driver("helix", "helixdb")


def a_home(folder: Any, url: str, key: str, machine: str) -> tuple[Any, Any]:
    home = home_at(str(folder))
    files = JournalFiles(home.journal, machine * 32)
    for n in range(1, 40):
        payload = {"tool_input": {"file_path": f"/p/{n % 5}.py"}}
        over = {"tool_name": "Edit", "session_id": f"s-{machine}", "machine": machine, "payload": payload}
        files.add(event(n, "PostToolUse", id=f"{machine}{n:030x}", **over))
    files.add(event(40, "PostToolUse", id=f"{machine}bad", machine=machine, at="yesterday"))
    home_settings = SimpleNamespace(
        home=home.root, graph_url=url, graph_api_key=key, ledger_max_field_bytes=1 << 20, search=False, memory=False,
        fsync="always",
    )  # fmt: skip
    return home, home_settings


def test_two_machines_fill_compare_and_rebuild_one_graph(tmp_path: Any) -> None:
    from helixdb import EdgeRef, Predicate, g, write_batch

    server = fixtures.given("helix")
    url = helix_place.named(server.url)
    homes = [a_home(tmp_path / name, url, server.password, name) for name in ("a", "b")]
    for home, settings in homes:
        assert not loop.is_current(home, settings, (GRAPH,))
        done = loop.catch_up(home, settings, stores=(GRAPH,))
        assert (done.errors, done.delivered) == ({}, 41)
        assert loop.is_current(home, settings, (GRAPH,))
    (home, settings), (other, others) = homes
    graph: Any = registry.open_store(GRAPH, settings, home)
    theirs: Any = registry.open_store(GRAPH, others, other)
    assert [(one.session, one.count) for one in graph.touched("/p/1.py")] == [("s-a", 8), ("s-b", 8)]
    whole = compare.compare(home, graph)
    assert (whole.equal, whole.stored, whole.waiting, whole.behind) == (True, 39, 1, 0)
    wrote = g().e_with_label(f"{graph.reads.prefix}WROTE").where(Predicate.eq("seq", 9))  # of both machines
    gone = write_batch().var_as("edge", wrote).var_as("gone", g().drop_edge_by_id(EdgeRef.var("edge")))
    graph.calls.write(gone.returning([]).to_query_bytes())
    assert compare.compare(home, graph).missing == [9]
    (made,) = rebuild.rebuild(home, settings, (GRAPH,))
    assert (made.records, made.dead_letters) == (41, 1)
    assert compare.compare(home, graph).equal
    assert compare.compare(other, theirs).missing == [9], "a rebuild leaves the other's edges as they are"
    for one in (graph, theirs):
        one.close()


def test_a_rebuild_puts_nothing_of_a_record_that_waits_outside(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server, put_rows = fixtures.given("helix"), HelixStore._put_rows

    def picky(store: Any, rows: Any, *given: Any) -> None:
        if any("s-long" in key for keys in rows.nodes.values() for key in keys):
            raise RefusedError("a key is too long", 400)
        put_rows(store, rows, *given)

    monkeypatch.setattr(HelixStore, "_put_rows", picky)
    home, settings = a_home(tmp_path / "a", helix_place.named(server.url), server.password, "long")
    assert loop.catch_up(home, settings, stores=(GRAPH,)).errors == {}
    graph: Any = registry.open_store(GRAPH, settings, home)
    done = compare.compare(home, graph)
    assert (done.equal, done.waiting, done.folds) == (True, 40, 0), done
    (made,) = rebuild.rebuild(home, settings, (GRAPH,))
    assert made.dead_letters == 40
    assert compare.compare(home, graph).equal
    assert list(graph.standing()).count([]) == 16
    graph.close()
