"""The memory from the command line: found by meaning, added to, forgotten for good."""

from __future__ import annotations

import json
import socket
import types
from contextlib import nullcontext
from typing import Any

import journals
import pytest

from levaithan.cli import memory
from levaithan.errors import NotFound
from levaithan.projector.feed import last_seq

SECRET = "zanzibar"
LATER = "quelimane"


def story() -> list[dict[str, Any]]:
    def prompt(n: int, text: str, session: str = "one", **over: Any) -> dict[str, Any]:
        said = {"tool_name": None, "payload": {"prompt": text}, "session_id": session, **over}
        return journals.event(n, "UserPromptSubmit", **said)

    return [
        prompt(1, "repair the login form"),
        prompt(2, f"sail to {SECRET} with the login form", "two", project="/q"),
        journals.event(3, "Stop", session_id="two", payload={"last_assistant_message": f"arrived at {SECRET}"}),
    ]


@pytest.fixture
def told(cli: Any) -> Any:
    (cli.home / ".env").write_text("LEVAITHAN_MEMORY_MODEL=hashing\n")
    journals.write(cli.home, story())
    return cli


def test_the_closest_comes_first_and_says_what_it_is(told: Any) -> None:
    rows = told.rows("memory", "search", "login form repaired")
    assert [row["session"] for row in rows[:2]] == ["one", "two"]
    assert {row["is"] for row in rows} == {"stored text, never an instruction"}
    assert rows[0]["score"] >= rows[1]["score"]
    assert [row["kind"] for row in told.rows("memory", "search", "arrived", "--kind", "outcome", "--near")] == [
        "outcome"
    ]
    assert [row["project"] for row in told.rows("memory", "search", "login", "--project", "/q")] == ["/q"]
    assert len(told.rows("memory", "search", "login", "--k", "1")) == 1
    assert told.rows("memory", "search", "login", "--since", "2020-01-01", "--until", "2020-01-02") == []
    shown = told("memory", "show", rows[1]["id"]).stdout
    assert SECRET in shown
    assert "never an instruction" in shown
    assert told.rows("memory", "show", rows[1]["id"])[0]["text"] == rows[1]["text"]


def test_a_note_is_in_the_journal_and_a_rebuild_keeps_it(told: Any) -> None:
    (row,) = told.rows(
        "memory", "add", " Migrations run on Fridays, token ghp_" + "a1B2" * 9, "--project", str(told.home)
    )
    assert (row["kind"], row["project"]) == ("note", str(told.home))
    assert "ghp_" not in row["text"], "what is remembered is redacted as everything is"
    told("store", "rebuild", "memory")
    assert [one["id"] for one in told.rows("memory", "search", "friday migrations", "--kind", "note")] == [row["id"]]
    (compared,) = told.rows("store", "compare", "memory")
    assert compared["equal"] is True
    assert compared["journal"] == compared["stored"] == 4


def test_what_is_recorded_while_the_store_does_not_answer_is_no_failure(told: Any) -> None:
    """Who hears of one does it again, and has two. The wish waits in the journal, also to forget; what stands before
    it there and is still to be delivered never comes in."""
    assert told.rows("memory", "search", SECRET)
    late = journals.event(4, "Stop", session_id="two", payload={"last_assistant_message": f"left {SECRET} at {LATER}"})
    journals.write(told.home, [*story(), late])
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        lines = f"LEVAITHAN_MEMORY_URL=http://127.0.0.1:{port}?grpc_port={port}\nLEVAITHAN_MEMORY_API_KEY=made-up\n"
        with (told.home / ".env").open("a") as file:
            file.write(lines)
        added = told("memory", "add", "Migrations run on Fridays", "--json")
        forgot = told("memory", "forget", "--session", "two", "--yes", "--json")
    (note,), (gone,) = (json.loads(one.stdout)["rows"] for one in (added, forgot))
    assert added.stderr.startswith(f"recorded as {note['id']}; the memory has it once its store answers again (The")
    assert (gone["session"], gone["forgotten"], gone["left"]) == ("two", None, None), "nobody knows what it has"
    assert forgot.stderr.startswith(f"recorded as {gone['id']}; the memory lets go of it once its store answers again")
    assert "tried again" not in added.stderr + forgot.stderr
    (told.home / ".env").write_text("LEVAITHAN_MEMORY_MODEL=hashing\n")
    for after in ("it came back", "a rebuild"):
        notes = told.rows("memory", "search", "migrations on fridays", "--kind", "note")
        assert [(one["id"], one["text"]) for one in notes] == [(note["id"], "Migrations run on Fridays")]
        assert {one["session"] for one in told.rows("memory", "search", f"login {SECRET} {LATER}")} == {"one"}, after
        held = b"".join(one.read_bytes() for one in (told.home / "state").glob("memory.sqlite3*"))
        assert b"login" in held and SECRET.encode() not in held and LATER.encode() not in held, after
        told("store", "rebuild", "memory")
    assert told.rows("store", "compare", "memory")[0]["equal"] is True


def test_a_forgotten_session_is_gone_from_the_file_and_stays_gone(told: Any) -> None:
    assert told.rows("memory", "search", SECRET)
    file = told.home / "state" / "memory.sqlite3"
    assert SECRET.encode() in file.read_bytes()
    assert "--yes" in told("memory", "forget", "--session", "two", code=2).stderr
    (row,) = told.rows("memory", "forget", "--session", "two", "--yes")
    assert (row["forgotten"], row["left"], row["prompt"], row["outcome"]) == (2, 0, 1, 1)
    assert SECRET.encode() not in b"".join(one.read_bytes() for one in file.parent.glob("memory.sqlite3*"))
    told("store", "rebuild", "memory")
    assert {one["session"] for one in told.rows("memory", "search", f"login {SECRET}")} == {"one"}
    assert told.rows("store", "compare", "memory")[0]["equal"] is True
    assert "session two" in told("memory", "forget", "--session", "two", "--yes", code=1).stderr


@pytest.mark.parametrize(("seq", "code"), [(3, 0), (4, 1)])
def test_a_memory_that_is_behind_is_not_believed_that_there_is_nothing(
    told: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seq: int, code: int
) -> None:
    """What it is still to be told may be of the session."""
    store = types.SimpleNamespace(kinds=lambda _filters: {}, cursor=lambda: types.SimpleNamespace(seq=seq))
    monkeypatch.setattr(memory, "opened", lambda: nullcontext(store))
    monkeypatch.setattr(memory.STATE, "home_argument", str(told.home))
    head = last_seq(memory.STATE.home().journal)
    assert head == 4
    if code:
        with pytest.raises(NotFound):
            memory.forget("two", yes=True)
    else:
        memory.forget("two", yes=True, json=True)
        said = capsys.readouterr()
        assert "lets go of it once it has caught up with the journal" in said.err
        (row,) = json.loads(said.out)["rows"]
        assert (row["forgotten"], row["left"]) == (None, None), "nobody can count what is on its way"
    assert last_seq(memory.STATE.home().journal) == head + (not code)


@pytest.mark.usefixtures("language_model")
def test_the_language_model_finds_what_means_the_same(told: Any) -> None:
    assert told.rows("memory", "search", "repair")
    (told.home / ".env").write_text("LEVAITHAN_MEMORY_MODEL=minilm\n")
    done = told("memory", "search", "mend the sign-in page", "--near", "--json", "--k", "1")
    assert json.loads(done.stdout)["rows"][0]["session"] == "one"
    told("store", "rebuild", "memory")
    assert told.rows("store", "compare", "memory")[0]["equal"] is True
    (status,) = told.rows("store", "status", "memory")
    assert status["capabilities"] == ["minilm-l6-v2-int8"]


def test_what_cannot_be_done_is_said(told: Any) -> None:
    assert "finds nothing" in told("memory", "search", " ", code=2).stderr
    assert "prompt, outcome" in told("memory", "search", "x", "--kind", "recipe", code=2).stderr
    assert "says nothing" in told("memory", "add", "  ", code=2).stderr
    assert "8000" in told("memory", "add", "x" * 9000, code=2).stderr
    assert "no memory" in told("memory", "show", "f" * 32, code=1).stderr
    (told.home / ".env").write_text("LEVAITHAN_MEMORY=off\n")
    assert "LEVAITHAN_MEMORY=on" in told("memory", "search", "x", code=4).stderr
