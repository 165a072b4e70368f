"""Who touched what, from the command line."""

from __future__ import annotations

from typing import Any

import journals
import pytest


@pytest.fixture
def told(cli: Any) -> Any:
    def call(n: int, session: str, path: str, event: str = "PostToolUse", **over: Any) -> dict[str, Any]:
        payload = {"tool_input": {"file_path": path}, "tool_name": "Write"}
        return journals.event(n, event=event, tool_name="Write", session_id=session, payload=payload, **over)

    journals.write(
        cli.home,
        [
            call(1, "one", "/p/a.py"),
            call(2, "two", "/p/a.py"),
            call(3, "two", "/p/b.py"),
            call(4, "two", "/p/secret", "PreToolUse", decision="deny", rule="r", reason="no"),
        ],
    )
    return cli


def test_who_touched_a_file(told: Any) -> None:
    rows = told.rows("graph", "touched", "/p/x/../a.py")
    assert [(row["session"], row["how"], row["count"]) for row in rows] == [("two", "wrote", 1), ("one", "wrote", 1)]
    assert rows[0]["last_at"].endswith("Z")
    assert told.rows("graph", "touched", "/p/none") == []


def test_what_a_session_changed(told: Any) -> None:
    rows = told.rows("graph", "changes", "two")
    assert {(row["file"], row["how"]) for row in rows} == {
        ("/p/a.py", "wrote"), ("/p/b.py", "wrote"), ("/p/secret", "denied"),
    }  # fmt: skip


def test_how_far_and_how_connected(told: Any) -> None:
    assert {row["key"] for row in told.rows("graph", "blast", "/p/b.py", "--hops", "3")} >= {"/p/a.py", "two/main"}
    steps = told.rows("graph", "path", "session:one", "/p/b.py")
    assert [step["to"] for step in steps] == ["agent:one/main", "/p/a.py", "agent:two/main", "/p/b.py"]
    assert steps[2]["edge"] == "wrote by"
    assert [row["session"] for row in told.rows("graph", "similar", "one")] == ["two"]
    assert {row["kind"]: row["count"] for row in told.rows("graph", "kinds")}["File"] == 3


def test_what_is_not_there_is_said(told: Any) -> None:
    assert "no file /p/none" in told("graph", "blast", "/p/none", code=1).stderr
    assert "--most" in told("graph", "path", "session:one", "/p/b.py", "--most", "2", code=1).stderr
    assert "names nothing" in told("graph", "blast", " ", code=2).stderr


def test_a_graph_that_is_switched_off_is_said(told: Any) -> None:
    (told.home / ".env").write_text("LEVAITHAN_GRAPH=off\n")
    assert "LEVAITHAN_GRAPH=on" in told("graph", "kinds", code=4).stderr
