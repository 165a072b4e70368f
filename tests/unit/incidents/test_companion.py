"""What is done beside the monitor: drafts for what opens, other machines' people, the graph's neighbours."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes
from tests.support.incident_stage import Stage
from tests.support.ledger_records import cursor, delivery, event

from levaithan.config import settings as settings_of
from levaithan.hot import paths
from levaithan.incidents import companion, notes
from levaithan.incidents.companion import Companion
from levaithan.stores import registry


@pytest.fixture
def home(tmp_path: Path) -> Any:
    made = paths.home_at(homes.make_home(tmp_path / "home", native=False))
    settings = settings_of.load(made.root, environ={})
    touch = {"tool_name": "Write", "payload": {"tool_input": {"file_path": "/p/a.py"}}}
    batch = [delivery(event(number, "PostToolUse", session_id=f"s{number % 2}", **touch)) for number in range(6)]
    for role in ("ledger", "graph"):
        store = registry.open_store(role, settings, made)
        store.migrate()
        store.apply(batch, cursor(6))
        store.close()
    return made, settings


def until(true: Any) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it was not done"
        time.sleep(0.02)


def test_a_draft_is_made_for_each_incident_that_opens(home: Any) -> None:
    made, settings = home
    stage = Stage()
    beside = Companion(made, settings)
    beside.start()
    changes = stage.fires(labels={"project": "/p"})
    child = stage.fires("BudgetFast", "P2", detection="budget exceeded", labels={"project": "/p"})
    beside.hear([*changes, *child])
    folder = Path(made.logs, "incidents")
    until((folder / f"{changes[0].incident.id}.md").is_file)
    beside.stop()
    assert not any(beside.troubles.values())
    assert [path.stem for path in folder.iterdir()] == [changes[0].incident.id]


def test_what_was_opened_while_nobody_watched_is_made_up_for(home: Any) -> None:
    made, settings = home
    stage = Stage()
    (one,) = {change.incident.id: change.incident for change in stage.fires(labels={"project": "/p"})}.values()
    beside = Companion(made, settings)
    beside.start()
    beside.make_up([one])
    file = Path(made.logs, "incidents", f"{one.id}.md")
    until(file.is_file)
    beside.stop()
    file.write_text("kept", encoding="utf-8")
    again = Companion(made, settings)
    again.make_up([one])
    again.start()
    again.stop()
    assert file.read_text(encoding="utf-8") == "kept", "what lies there is not written again"


def test_sessions_that_touched_the_same_files_are_alike(home: Any) -> None:
    made, settings = home
    assert Companion(made, settings).alike("s0") == {"s1"}
    assert Companion(made, settings).alike("nobody") == set()
    stage = Stage()
    stage.engine.alike = Companion(made, settings).alike
    stage.fires("Denied", "P2", session_id="s1")
    assert stage.fires("SecretSeen", "P2", detection="security violations", session_id="s0")[0].incident.parent


def test_a_graph_on_a_server_is_not_waited_for(home: Any) -> None:
    made, _settings = home
    remote = settings_of.load(made.root, environ={"LEVAITHAN_GRAPH_URL": "http://127.0.0.1:9"})
    assert Companion(made, remote).alike("s0") == set()


def test_a_graph_on_a_server_is_asked_beside_and_brings_incidents_together(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, settings = home
    local, inner = settings, registry.open_store
    remote = settings_of.load(made.root, environ={"LEVAITHAN_GRAPH_URL": "http://127.0.0.1:9"})
    monkeypatch.setattr(registry, "open_store", lambda role, _settings, where: inner(role, local, where))
    stage, beside = Stage(), Companion(made, remote)
    stage.engine.alike = beside.alike
    first = stage.fires("Denied", "P2", session_id="s1")[0].incident
    apart = stage.fires("Other", "P2", session_id="s9", detection="performance")[0].incident
    opened = stage.fires("SecretSeen", "P2", detection="security violations", session_id="s0")
    second = opened[0].incident
    assert (second.parent, second.related) == ("", []), "nobody waited"
    beside.hear(opened)
    beside.start()
    found: list[tuple[str, set[str]]] = []
    until(lambda: found.extend(beside.near()) or found)
    beside.stop()
    assert found == [(second.id, {"s1"})]
    for one, sessions in (*found, *found):
        stage.engine.relate(one, sessions, stage.now_s)
    assert (first.related, second.related, apart.related) == ([second.id], [first.id], [])
    told = [record for record in stage.journal if record["action"] == "signal"]
    assert [record["related"] for record in told] == [[first.id], [second.id]]
    again = stage.another()
    for record in stage.journal:
        again.fold(record)
    assert again.book.incidents[second.id].related == [first.id]
    stage.engine.relate("inc-nobody", {"s1"}, stage.now_s)


def test_what_people_did_elsewhere_comes_to_the_engine(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made, settings = home
    stage = Stage()
    one = stage.fires()[0].incident
    ack = {"kind": "incident", "action": "ack", "incident": one.id, "by": "ada", "id": "f" * 32, "at": stage.at}
    pages = [([ack], (1, "k", 1)), ([], (1, "k", 1))]
    monkeypatch.setattr(notes, "elsewhere", lambda _ledger, place: pages.pop(0) if pages else ([], place))
    beside = Companion(made, settings)
    beside.start()
    found: list[dict[str, Any]] = []
    until(lambda: found.extend(beside.told()) or found)
    beside.stop()
    for record in (*found, *found):
        stage.engine.fold(record)
    assert [change.kind for change in stage.pass_s(1)] == ["acknowledged"]


def test_what_fails_is_told_and_the_next_is_tried(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made, settings = home
    tried: list[str] = []

    def fails(_home: Any, _settings: Any, incident: dict[str, Any]) -> str:
        tried.append(incident["id"])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(companion.ready, "prepare", fails)
    stage = Stage()
    beside = Companion(made, settings)
    opened = [stage.fires(labels={"project": f"/p{number}"})[0] for number in range(30)]
    beside.hear(opened)
    beside.start()
    until(lambda: len(tried) == companion.MOST_WAITING)
    beside.stop()
    assert "No space left" in beside.troubles["drafts"]
    assert tried[-1] == opened[-1].incident.id
