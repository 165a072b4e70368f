"""What is made of many records, held against the journal: nodes and edges of every graph, sums of every ledger."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import pytest
from tests.contract import test_graph_contract as graphs
from tests.contract import test_ledger_contract as ledgers
from tests.support import forged
from tests.support.ledger_records import JournalFiles, at, event

from levaithan.hot.paths import Home, home_at
from levaithan.projector import feed, nodes
from levaithan.projector.compare import Compared, compare
from levaithan.projector.follower import Follower
from levaithan.stores import graph_facts
from levaithan.stores.roles import GRAPH
from levaithan.stores.roles.graph import AGENT, FILE, SESSION, TASK, TOOL, Node

NONE = {"tool_use_id": None, "tool_name": None}


def a_home(folder: Path, records: list[dict[str, Any]]) -> Home:
    home = home_at(str(folder / "home"))
    files = JournalFiles(home.journal)
    for one in records:
        files.add({key: value for key, value in one.items() if key != "seq"})
    return home


def fill(store: Any, home: Home) -> Any:
    """`store` with all of the journal."""
    store.migrate()
    follower = Follower(store, feed.Feed(home.journal))
    while follower.step():
        pass
    assert follower.error is None
    return store


def put(store: Any, home: Home, size: int, seed: int | None) -> None:
    """The journal's records once more, or for the first time, `size` at once and in another order."""
    batch, cursor = feed.Feed(home.journal).batch(None, 1 << 30)
    assert cursor is not None
    if seed is not None:
        random.Random(seed).shuffle(batch)
    for start in range(0, len(batch), size):
        store.apply(batch[start : start + size], cursor)


def rebuilt(store: Any, home: Home) -> None:
    """What `store rebuild` does, of a store that is rewritten in place or of one that is made again."""
    if not store.shared:
        store.drop_all()
        fill(store, home)
        return
    store.rewrite_begin()
    last = fill(store, home).cursor()
    store.rewrite_end(last.seq)
    if store.name == GRAPH:
        nodes.mend(home.journal, store)


def named(done: Compared) -> list[str]:
    assert done.folds_differ_count == len(done.folds_differ)
    return done.folds_differ


class Behind:
    """A store whose cursor was read when the last two records had not arrived."""

    def __init__(self, store: Any, home: Home) -> None:
        self._store, self._home = store, home

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def cursor(self) -> Any:
        batch, _ = feed.Feed(self._home.journal).batch(None, 1 << 30)
        last, behind = batch[-3:-1]
        return dataclasses.replace(
            self._store.cursor(), segment=behind.segment, offset=behind.offset, seq=last.seq, hash=last.hash
        )


# -- the graph --


def tale() -> list[dict[str, Any]]:
    """All kinds of nodes; one session that goes to another project, and a task with another subject."""
    opened = {"v": 1, "kind": "incident", "id": "a" * 32, "at": at(12), "action": "open", "by": "monitor",
              "incident": "inc-1", "title": "t", "severity": "P2", "session_id": "s1"}  # fmt: skip
    done = event(14, "TaskCompleted", **NONE, payload={"task_id": "1", "task_subject": "done"})
    return [*graphs.story(), opened, graphs.call(13, "Write", "s2", file_path="/p/c.py") | {"project": "/q"}, done]


def test_what_an_earlier_version_said_twice_is_no_difference(
    graph_place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that follows another said once more who ran where; it says nothing now, unless it touched a file."""
    followers = [
        graphs.call(15, "Bash", command="true"), graphs.call(16, "Bash", "s2", agent_id="sub", command="true"),
        event(17, "MessageDisplay", **NONE), graphs.call(18, "Write", "s2", file_path="/p/last.py"),
    ]  # fmt: skip
    home, graph = a_home(tmp_path, [*tale(), *followers]), graph_place.open()
    lately = graph_facts.of_record
    monkeypatch.setattr(graph_facts, "of_record", lambda *given, **_: lately(*given, repeated=True))
    fill(graph, home)
    before = graph.kinds()
    monkeypatch.setattr(graph_facts, "of_record", lately)
    done = compare(home, graph)
    assert done.equal, done
    assert named(compare(home, Behind(graph, home))) == []
    rebuilt(graph, home)
    after = graph.kinds()
    assert compare(home, graph).equal
    assert (before["RAN"] - after["RAN"], before["SPAWNED"] - after["SPAWNED"]) == (14, 1)
    assert {kind: before[kind] - after.get(kind, 0) for kind in ("CALLED", "READ", "WROTE", "DENIED")} == dict.fromkeys(
        ("CALLED", "READ", "WROTE", "DENIED"), 0
    )


@pytest.mark.parametrize(("size", "seed"), [(100, None), (4, 7)])
def test_a_graph_is_equal_however_its_records_arrived(graph_place: Any, tmp_path: Path, size: int, seed: int) -> None:
    home, graph = a_home(tmp_path, tale()), graph_place.open()
    graph.migrate()
    put(graph, home, size, seed)
    put(graph, home, 100, seed)
    batch, _ = feed.Feed(home.journal).batch(None, 1 << 30)
    assert graph.put_again([one for one in batch if one.seq == 5]) == [], "it comes late, and tells an older project"
    assert graph.properties(SESSION, ["s2"]) == {"s2": {"machine": "m1", "project": "/p"}}
    done = compare(home, graph)
    assert done.equal, done
    nodes = sum(graph.kinds().get(kind, 0) for kind in graph_facts.PROPERTIES)
    assert (nodes, done.folds - nodes) == (18, sum(len(page) for page in graph.standing())) == (18, 5)
    assert done.stored == done.journal == 14


FORGED = (
    (Node(SESSION, "s1"), "project", "/other"), (Node(SESSION, "s3"), "machine", None),
    (Node(TASK, "s1/1"), "title", "of none"), (Node(TOOL, "Read"), "project", "/p"),
    (Node(AGENT, "s1/main"), "agent_type", "root"), (Node("Decision", f"{6:032x}"), "reason", "forged"),
    (Node("Incident", "inc-1"), "severity", "P1"),
)  # fmt: skip


def test_what_somebody_did_to_a_graph_is_named_and_a_rebuild_puts_it_right(graph_place: Any, tmp_path: Path) -> None:
    home, graph = a_home(tmp_path, tale()), graph_place.open()
    fill(graph, home)
    forged.edge_time(graph, "WROTE", 5, 77)
    for one in FORGED:
        forged.node_property(graph, *one)
    forged.make_node(graph, Node(FILE, "/p/nobody.py"))
    forged.drop_node(graph, Node(FILE, "/p/c.py"))
    done = compare(home, graph)
    wrong = [*(node for node, _, _ in FORGED), Node(FILE, "/p/nobody.py"), Node(FILE, "/p/c.py")]
    assert sorted(named(done)) == sorted(f"nodes {node.kind} {node.key}" for node in wrong)
    assert (done.altered, done.missing, done.extra) == ([5], [14], [])
    rebuilt(graph, home)
    done = compare(home, graph)
    assert done.equal, done


def test_an_edge_that_stands_is_named_where_it_is_gone_altered_or_of_nobody(graph_place: Any, tmp_path: Path) -> None:
    home, graph = a_home(tmp_path, tale()), graph_place.open()
    fill(graph, home)
    kinds = graph.kinds()
    forged.unstand(graph, "SPAWNED")
    forged.edge_time(graph, "PART_OF", 0, 77)
    forged.make_node(graph, Node(SESSION, "nobody"))
    forged.stand(graph, ("RAN", Node(AGENT, "s1/main"), Node(SESSION, "nobody")))
    wrong = ["edges PART_OF s1/sub s1", "edges RAN s1/main nobody", "edges SPAWNED s1/main s1/sub"]
    done = compare(home, graph)
    assert named(done) == wrong
    assert (done.altered_count, done.missing_count, done.extra_count) == (0, 0, 0)
    assert named(compare(home, Behind(graph, home))) == wrong
    rebuilt(graph, home)
    done = compare(home, graph)
    assert done.equal, done
    assert graph.kinds() == kinds


def test_of_a_pruned_journal_what_it_has_still_is_compared(graph_place: Any, tmp_path: Path) -> None:
    home, graph = home_at(str(tmp_path / "home")), graph_place.open()
    files = JournalFiles(home.journal)
    files.add(graphs.call(1, "Write", "old", agent_id="sub", file_path="/p/old.py"))
    files.segment()
    files.add(graphs.call(2, "Write", "new", agent_id="sub", file_path="/p/new.py"))
    fill(graph, home)
    sorted(Path(home.journal).glob("*.log"))[0].unlink()
    done = compare(home, graph)
    assert (done.equal, done.pruned) == (True, 1), done
    stands = sorted(one.edge for page in graph.standing() for one in page)
    assert [kind for kind, _, _ in stands] == ["PART_OF"] * 2 + ["RAN"] * 2 + ["SPAWNED"] * 2
    forged.node_property(graph, Node(SESSION, "new"), "project", "/forged")
    forged.edge_time(graph, "SPAWNED", 0, 77)
    forged.stand(graph, ("WROTE", Node(AGENT, "new/main"), Node(FILE, "/p/new.py")))
    wrong = ["nodes Session new", "edges SPAWNED new/main new/sub", "edges SPAWNED old/main old/sub"]
    assert named(compare(home, graph)) == [*wrong, "edges WROTE new/main /p/new.py"]
    if graph.shared:  # one in a file is made again beside this one, with what was pruned from the ledger
        rebuilt(graph, home)
        assert compare(home, graph).equal
        assert sorted(one.edge for page in graph.standing() for one in page) == stands


def test_what_the_records_behind_say_of_who_runs_where_is_no_difference(graph_place: Any, tmp_path: Path) -> None:
    newer = [
        event(15, "UserPromptSubmit", **NONE, session_id="s9"),
        event(16, "UserPromptSubmit", **NONE, session_id="s2", project="/newer"),
    ]
    home, graph = a_home(tmp_path, [*tale(), *newer]), graph_place.open()
    fill(graph, home)
    done = compare(home, Behind(graph, home))
    assert (done.equal, done.behind) == (True, 2), done
    assert compare(home, graph).equal


def test_of_a_node_that_newer_records_touch_too_nothing_is_said_that_they_may_have_done(
    graph_place: Any, tmp_path: Path
) -> None:
    home, graph = a_home(tmp_path, tale()), graph_place.open()
    fill(graph, home)
    forged.node_property(graph, Node(SESSION, "s2"), "project", "/of the record behind")
    done = compare(home, Behind(graph, home))
    assert (done.equal, done.behind) == (True, 2), done
    assert named(compare(home, graph)) == ["nodes Session s2"]
    forged.node_property(graph, Node(SESSION, "s2"), "project", None)
    assert named(compare(home, Behind(graph, home))) == ["nodes Session s2"], "no record takes a property away"


def test_all_nodes_are_told_some_at_a_time(graph_place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = fill(graph_place.open(), a_home(tmp_path, tale()))
    whole = [node for page in graph.nodes() for node in page]
    monkeypatch.setattr(f"levaithan.stores.{'helix_reads.NODES' if graph.remote else 'sqlite_graph._PAGE'}", 2)
    monkeypatch.setattr("levaithan.stores.helix_reads.NUMBERED", 3)  # of a kind there are more, or as many, or less
    pages = list(graph.nodes())
    assert max(map(len, pages)) == 2
    assert sorted(node for page in pages for node in page) == sorted(whole)
    assert len(set(whole)) == len(whole) == 18


# -- the ledger --


def hours() -> list[dict[str, Any]]:
    """Two hours; a model that is told late, a call that ends twice, a canary, a denial, another project."""
    return [
        *ledgers.story(),
        event(20, call="d"), event(21, "PostToolUse", call="d", payload={"duration_ms": 9}),
        event(22, "PostToolUseFailure", call="d", id="0" * 32, payload={"duration_ms": 11}),
        event(30, canary=True), event(31, project=None, duration_ms=None),
        event(4000, call="e"), event(4001, "PostToolUse", call="e", payload={"duration_ms": 8}),
        event(4002, "PostModelSwitch", **NONE, payload={"to_model": "haiku"}),
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "seed"), [(100, None), (1, None), (2, 5)])
def test_a_ledger_is_equal_however_its_records_arrived(ledger_place: Any, tmp_path: Path, size: int, seed: int) -> None:
    home, ledger = a_home(tmp_path, hours()), ledger_place.open()
    ledger.migrate()
    put(ledger, home, size, seed)
    done = compare(home, ledger)
    assert done.equal, done
    assert done.folds > 20
    rebuilt(ledger, home)
    done = compare(home, ledger)
    assert done.equal, done


HOUR = "rollups 2026-11-23T09//p"
SUMS = {
    "UPDATE rollups SET events = events + 1 WHERE event = 'SubagentStop'": [f"{HOUR}//SubagentStop/allow"],
    "UPDATE rollups SET denials = 0 WHERE decision = 'deny'": [f"{HOUR}/Bash/PreToolUse/deny"],
    "UPDATE rollups SET hook_max_us = 7 WHERE event = 'SessionStart'": [f"{HOUR}//SessionStart/allow"],
    "UPDATE rollups SET hook_h03 = 7 WHERE event = 'PermissionDenied'": [f"{HOUR}/Bash/PermissionDenied/allow"],
    "UPDATE rollups SET tool_us = tool_us - 1 WHERE hour_us = 1795428000000000 AND event = 'PostToolUse'":
        ["rollups 2026-11-23T10//p/Bash/PostToolUse/allow"],
    "UPDATE rollups SET project = '/x' WHERE project = ''":
        [f"rollups 2026-11-23T09/{of}/Bash/PreToolUse/allow" for of in ("", "/x")],
    "UPDATE rollups SET model = 'forged' WHERE event = 'SubagentStart'": ["rollups of the model forged"],
    "DELETE FROM rollups WHERE event = 'SessionEnd'": [f"{HOUR}//SessionEnd/allow"],
    "INSERT INTO rollups (hour_us, journal, project, tool_name, event, decision, model, events) SELECT "
    "min(hour_us) + 7200000000, min(journal), '', '', 'E', '', '', 1 FROM rollups": ["rollups 2026-11-23T11///E/"],
}  # fmt: skip


def test_a_sum_that_somebody_altered_is_named_and_a_rebuild_puts_it_right(ledger_place: Any, tmp_path: Path) -> None:
    home, ledger = a_home(tmp_path, hours()), ledger_place.open()
    fill(ledger, home)
    forged.sql(ledger, *SUMS)
    done = compare(home, ledger)
    assert sorted(named(done)) == sorted(name for names in SUMS.values() for name in names)
    assert (done.altered_count, done.missing_count, done.extra_count) == (0, 0, 0)
    rebuilt(ledger, home)
    done = compare(home, ledger)
    assert done.equal, done


def test_an_hour_that_newer_records_are_in_too_is_no_difference(ledger_place: Any, tmp_path: Path) -> None:
    home, ledger = a_home(tmp_path, hours()), ledger_place.open()
    fill(ledger, home)
    done = compare(home, Behind(ledger, home))
    assert (done.equal, done.behind) == (True, 2), done
    forged.sql(ledger, "UPDATE rollups SET events = events + 1 WHERE event = 'SessionEnd'")
    assert named(compare(home, Behind(ledger, home))) == [f"{HOUR}//SessionEnd/allow"]


def test_sums_of_months_that_retention_dropped_are_left_alone(ledger_place: Any, tmp_path: Path) -> None:
    home, ledger = a_home(tmp_path, hours()), ledger_place.open()
    fill(ledger, home)
    forged.sql(ledger, "DELETE FROM events WHERE at_us < 1795428000000000")
    forged.sql(ledger, "UPDATE rollups SET events = 2 * events WHERE event = 'SessionEnd'")
    found = named(compare(home, ledger))
    assert found == ([] if ledger.shared else [f"{HOUR}//SessionEnd/allow"]), "SQLite drops none"


def test_when_a_machine_was_last_heard_is_what_its_events_say(ledger_place: Any, tmp_path: Path) -> None:
    home, ledger = a_home(tmp_path, hours()), ledger_place.open()
    fill(ledger, home)
    if not ledger.shared:
        assert ledger.rows("SELECT count(*) FROM machines") == [(0,)], "it follows one machine and notes none"
        return
    another = "SELECT 'm9', journal, first_us, last_us, newest_us FROM machines"
    for statement, found in (
        ("UPDATE machines SET newest_us = newest_us - 1", ["machines m1"]),
        ("UPDATE machines SET newest_us = newest_us + 2", ["machines m1"]),
        (f"INSERT INTO machines (machine, journal, first_us, last_us, newest_us) {another}",
         ["machines m1", "machines m9"]),
    ):  # fmt: skip
        forged.sql(ledger, statement)
        assert named(compare(home, ledger)) == found, statement
    rebuilt(ledger, home)
    done = compare(home, ledger)
    assert done.equal, done
