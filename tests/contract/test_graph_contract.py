"""What every graph must do, whatever it is made of."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.support.ledger_records import START_US, cursor, delivery, event

from levaithan.stores.roles.graph import AGENT, EDGES, FILE, SESSION, TOOL, Node, Reached

SECOND = 1_000_000
LEASE = {"hook": "lease_reserve", "ms": 0.1, "leased": ["/p/a.py"]}


@pytest.fixture
def graph(graph_place: Any) -> Any:
    opened = graph_place.open()
    opened.migrate()
    return opened


def call(
    n: int, tool: str, session: str = "s1", *, agent: str | None = None, name: str = "PostToolUse", **given: Any
) -> dict[str, Any]:
    """A call of `tool` with its input, as the event number `n`."""
    over = {key: given.pop(key) for key in ("agent_id", "decision", "hooks") if key in given}
    payload = {"tool_input": given}
    return event(n, name, tool_name=tool, session_id=session, cwd="/p", payload=payload, **over)


def story() -> list[dict[str, Any]]:
    """Three sessions: the first writes a.py, its subagent reads it; the second reads what the first wrote and writes
    b.py; the third has nothing to do with them, and is denied a look at a secret."""
    return [
        call(1, "Write", file_path="/p/a.py"),
        call(2, "Read", agent_id="sub", file_path="/p/a.py"),
        call(3, "Edit", "s2", file_path="/p/../p/a.py"),
        call(4, "Write", "s2", file_path="/p/b.py"),
        call(5, "Write", "s3", file_path="/q/z.py"),
        call(6, "Read", "s3", name="PreToolUse", decision="deny", file_path="/home/x/.ssh/id_ed25519"),
        call(7, "Bash", "s3", command="echo hi > /q/out.txt && rm -f /q/z.py"),
        call(8, "Edit", file_path="/p/a.py"),
        call(9, "Read", name="PreToolUse", file_path="/p/only_asked.py"),
        event(10, "TaskCreated", tool_name=None, tool_use_id=None, payload={"task_id": "1", "task_subject": "do it"}),
        call(
            11,
            "Write",
            name="PreToolUse",
            hooks=[{"hook": "lease_reserve", "ms": 0.1, "leased": ["/p/a.py"]}],
            file_path="/p/a.py",
        ),
    ]


def put(graph: Any, records: list[dict[str, Any]]) -> None:
    assert graph.apply([delivery(one) for one in records], cursor(len(records) + 1)) == []


def touches(found: Any) -> set[tuple[Any, ...]]:
    return {(one.agent, one.file, one.how, one.count) for one in found}


def test_who_touched_a_file(graph: Any) -> None:
    put(graph, story())
    found = graph.touched("/p/a.py")
    assert touches(found) == {
        ("s1/main", "/p/a.py", "WROTE", 2), ("s1/sub", "/p/a.py", "READ", 1), ("s2/main", "/p/a.py", "WROTE", 1),
        ("s1/main", "/p/a.py", "LEASED", 1),
    }  # fmt: skip
    wrote = next(one for one in found if one.agent == "s1/main" and one.how == "WROTE")
    assert (wrote.session, wrote.first_us, wrote.last_us) == ("s1", START_US + SECOND, START_US + 8 * SECOND)
    assert {one.machine for one in found} == {"m1"}
    assert [one.last_us for one in found] == sorted((one.last_us for one in found), reverse=True)
    assert len(graph.touched("/p/a.py", limit=2)) == 2
    assert graph.touched("/p/only_asked.py") == [], "a call that was never made touched nothing"


def test_what_a_session_changed_and_was_denied(graph: Any) -> None:
    put(graph, story())
    assert touches(graph.changed("s3")) == {
        ("s3/main", "/q/z.py", "WROTE", 2), ("s3/main", "/q/out.txt", "WROTE", 1),
        ("s3/main", "/home/x/.ssh/id_ed25519", "DENIED", 1),
    }  # fmt: skip
    assert touches(graph.changed("s1")) == {
        ("s1/main", "/p/a.py", "WROTE", 2), ("s1/main", "/p/a.py", "LEASED", 1), ("s1/sub", "/p/a.py", "READ", 1),
    }  # fmt: skip
    assert graph.changed("s") == []


def test_a_blast_radius_ends_after_its_hops_and_never_goes_by_a_tool(graph: Any) -> None:
    put(graph, story())
    one = graph.blast(Node(FILE, "/p/b.py"), 1)
    assert {(found.node, found.hops) for found in one} == {(Node(AGENT, "s2/main"), 1)}
    two = {found.node for found in graph.blast(Node(FILE, "/p/b.py"), 2)}
    assert two == {Node(AGENT, "s2/main"), Node(SESSION, "s2"), Node(FILE, "/p/a.py")}
    far = {found.node for found in graph.blast(Node(FILE, "/p/b.py"), 9)}
    assert Node(SESSION, "s1") in far
    assert not any(node.kind == TOOL or node.key.startswith(("s3", "/q")) for node in far)
    assert len(graph.blast(Node(FILE, "/p/b.py"), 9, limit=3)) == 3
    first = graph.blast(Node(FILE, "/p/b.py"), 1)[0]
    assert first == Reached(Node(AGENT, "s2/main"), 1, "WROTE", Node(FILE, "/p/b.py"))
    assert graph.blast(Node(FILE, "/nosuch"), 3) == []


def test_a_shortest_path(graph: Any) -> None:
    put(graph, story())
    steps = graph.path(Node(SESSION, "s1"), Node(FILE, "/p/b.py"))
    assert steps is not None
    assert [(step.source.key, step.edge, step.target.key, step.forward) for step in steps] == [
        ("s1", "RAN", "s1/main", False), ("s1/main", "WROTE", "/p/a.py", True), ("/p/a.py", "WROTE", "s2/main", False),
        ("s2/main", "WROTE", "/p/b.py", True),
    ]  # fmt: skip
    assert graph.path(Node(SESSION, "s1"), Node(SESSION, "s1")) == []
    assert graph.path(Node(SESSION, "s1"), Node(SESSION, "s3")) is None
    assert graph.path(Node(SESSION, "s1"), Node(FILE, "/p/b.py"), most=3) is None
    assert graph.path(Node(SESSION, "s1"), Node(FILE, "/nosuch")) is None


def test_sessions_alike_by_what_they_touched(graph: Any) -> None:
    put(graph, story())
    (other,) = graph.similar("s1")
    assert (other.session, other.shared, other.union, other.score) == ("s2", 1, 2, 0.5)
    assert graph.similar("s3") == []
    assert graph.similar("nosuch") == []


def test_every_kind_of_node_and_edge_is_made_of_what_says_so(graph: Any) -> None:
    opened = {"seq": 13, "v": 1, "kind": "incident", "id": "a" * 32, "at": event(12)["at"], "action": "open",
              "by": "monitor", "incident": "inc-1", "title": "t", "severity": "P2", "session_id": "s1"}  # fmt: skip
    put(graph, [*story(), opened])
    assert graph.kinds() == {
        "Agent": 4, "Session": 3, "Task": 1, "File": 5, "Tool": 2, "Decision": 1, "Incident": 1,
        "RAN": 4, "SPAWNED": 1, "CALLED": 3, "READ": 1, "WROTE": 7, "DENIED": 2, "LEASED": 1, "PART_OF": 2,
        "CAUSED": 1,
    }  # fmt: skip
    found = {(one.via.kind, one.edge, one.node.kind) for one in graph.blast(Node(SESSION, "s1"), 1)}
    assert found == {
        ("Session", "RAN", "Agent"), ("Session", "PART_OF", "Agent"), ("Session", "PART_OF", "Task"),
        ("Session", "CAUSED", "Incident"),
    }  # fmt: skip
    denied = {(one.edge, one.node) for one in graph.blast(Node("Decision", f"{6:032x}"), 1)}
    assert denied == {("DENIED", Node(AGENT, "s3/main")), ("DENIED", Node(FILE, "/home/x/.ssh/id_ed25519"))}
    for node in (Node(TOOL, "Read"), Node("Task", "s1/1"), Node("Incident", "inc-1"), Node(AGENT, "s1/sub")):
        assert graph.known(node), node


def test_health_says_how_it_is(graph: Any) -> None:
    put(graph, story())
    told = graph.health()
    assert told.ok, told.problems
    kinds = graph.kinds()
    standing = sum(len(page) for page in graph.standing())
    assert standing == 5
    edges = sum(kinds.get(kind, 0) for kind in EDGES)
    assert told.rows == (edges - standing if graph.remote else sum(kinds.values()) - edges)
    assert told.schema not in ("", "none")
    assert told.server
    assert told.bytes > 0 or graph.remote


def test_a_batch_put_twice_is_there_once_in_any_order(graph_place: Any, graph: Any) -> None:
    put(graph, story())
    once = graph.kinds()
    prints = graph.fingerprints(1, 99)
    put(graph, story())
    mixed = story()
    random.Random(3).shuffle(mixed)
    for start in range(0, len(mixed), 3):
        graph.apply([delivery(one) for one in mixed[start : start + 3]], cursor(12))
    assert graph.kinds() == once
    assert graph.fingerprints(1, 99) == prints
    assert once["Session"] == 3
    assert once["Task"] == 1


def test_the_cursor_is_what_was_last_put(graph_place: Any, graph: Any) -> None:
    assert graph.cursor() is None
    put(graph, story()[:2])
    assert graph.cursor() == cursor(3)
    assert graph.apply([], cursor(9)) == []
    graph.close()
    assert graph_place.open().cursor() == cursor(9)


def test_every_character_comes_back(graph: Any) -> None:
    path = "/p/ünï 漢字 🐙 '\";--\\.py"
    put(graph, [call(1, "Write", file_path=path)])
    assert [one.file for one in graph.touched(path)] == [path]


def test_what_is_poison_or_no_file_harms_nothing(graph: Any) -> None:
    bad = [
        call(1, "Write", file_path="/p/a\0b"),
        call(2, "Write", file_path="/p/" + "x" * (1 << 20)),
        call(3, "Write", file_path=["/p/list"]),
        call(4, "Write", file_path="~/x"),
        event(5, "PostToolUse", at="yesterday", tool_name="Write"),
        call(6, "Write", file_path="/p/good.py", content="\0" * 3 + "x" * (2 << 20)),
        call(7, "Write", file_path="/p/h\ud800.py"),
    ]
    rejected = graph.apply([delivery(one) for one in bad], cursor(8))
    assert [one.delivery.seq for one in rejected] == [6]
    assert "not a record of format 1" in rejected[0].reason
    assert [letter.seq for letter in graph.dead_letters()] == [6]
    assert {one.file for one in graph.changed("s1")} == {"/p/good.py", "/p/h?.py"}
    good = delivery(call(5, "Write", file_path="/p/late.py"))
    assert graph.put_again([good]) == []
    assert graph.dead_count() == 0
    assert graph.fingerprints(6, 6) == {6: graph.expected(good)}
    unreadable = delivery({}, record=None, problem="damaged journal line: hash", seq=0, offset=77)
    assert [one.reason for one in graph.apply([unreadable], cursor(9))] == ["damaged journal line: hash"]


def test_what_is_stored_is_held_against_the_journal(graph: Any) -> None:
    records = [delivery(one) for one in story()]
    graph.apply(records, cursor(12))
    stored = graph.fingerprints(1, 99)
    assert stored == {one.seq: print_ for one in records if (print_ := graph.expected(one))}
    assert graph.fingerprints(3, 4).keys() == {3, 4}
    assert graph.fingerprints(12, 1 << 62).keys() == {12}
    assert graph.fingerprints(0, 1) == graph.fingerprints(13, 99) == graph.fingerprints(5, 4) == {}
    assert graph.expected(delivery({"seq": 1, "kind": "segment"})) is None


def test_two_writers_lose_nothing(graph_place: Any, graph: Any) -> None:
    def write(first: int) -> int:
        mine = graph_place.open()
        for n in range(first, first + 60, 10):
            batch = [call(n + k, "Write", f"s{first}", file_path=f"/p/{k}.py") for k in range(10)]
            mine.apply([delivery(one) for one in batch], cursor(n + 10))
        return 1

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(write, [1, 101])) == 2
    assert [one.count for one in graph.touched("/p/3.py")] == [6, 6]


def test_drop_all_leaves_an_empty_graph(graph: Any) -> None:
    put(graph, story())
    graph.drop_all()
    assert graph.cursor() is None
    assert graph.touched("/p/a.py") == []
    assert sum(graph.kinds().values()) == 0


def test_an_incident_is_connected_to_its_session_and_to_what_that_touched(graph: Any) -> None:
    opened = {"seq": 3, "v": 1, "kind": "incident", "id": "a" * 32, "at": event(2)["at"], "action": "open",
              "by": "monitor",
              "incident": "inc-0123456789", "title": "a burst", "severity": "P2", "session_id": "s1"}  # fmt: skip
    later = {**opened, "seq": 4, "id": "b" * 32, "action": "ack", "by": "ada"}
    elsewhere = {**opened, "seq": 5, "id": "c" * 32, "incident": "inc-none", "session_id": None}
    put(graph, [call(1, "Write", file_path="/p/a.py"), opened, later, elsewhere])
    found = {one.node for one in graph.blast(Node("Incident", "inc-0123456789"), 3)}
    assert {Node(SESSION, "s1"), Node(FILE, "/p/a.py")} <= found
    assert not graph.known(Node("Incident", "inc-none"))
    assert graph.fingerprints(3, 5).keys() == {3}
    assert graph.fingerprints(3, 3)[3] == graph.expected(delivery(opened))
