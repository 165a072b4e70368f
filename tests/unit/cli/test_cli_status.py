"""`levaithan status` says who watches, which incidents are open all the same, and what a mode holds back."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes

from levaithan.cli import mode, status, status_monitor, status_stores, store
from levaithan.cli.state import STATE
from levaithan.config import lean
from levaithan.errors import Unhealthy
from levaithan.hot import halts, modes
from levaithan.hot.paths import Home, home_at
from levaithan.install import checks_stores
from levaithan.projector import status as projecting


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    root = homes.make_home(tmp_path / "home", native=False, monitor="on")
    monkeypatch.setattr(STATE, "home_argument", root)
    return home_at(root)


def answer(*, old_s: float = 1, up_s: float = 900, **more: Any) -> dict[str, Any]:
    """What a service says whose monitor wrote its state `old_s` ago."""
    updated = (datetime.now(UTC) - timedelta(seconds=old_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    told = {"pid": 7, "child": 7, "updated": updated, "doing": "watching", "firing": 2, "incidents": {}, "every_s": 5}
    return {"uptime_s": up_s, "monitor": told | more, "loops": {"monitor": {"last_error": "the monitor ended with 1"}}}


def told(home: Home, said: dict[str, Any] | None) -> list[tuple[str, str, str, str]]:
    return [(one["item"], one["status"], one["value"], one["remedy"]) for one in status_monitor.rows(home, said)]


def rows(root: str) -> dict[str, dict[str, Any]]:
    done = homes.cli(root, "status", "--json", check=False)
    found = json.loads(done.stdout)["rows"]
    assert len([one for one in found if one["item"] == "mode"]) == 1
    return {one["item"]: one for one in found}


def opened(root: str) -> None:
    homes.cli(root, "incident", "open", "--title", "It burns", "--severity", "P1")


def test_a_monitor_that_works_is_a_row_with_incidents_open_too(home: Home) -> None:
    assert told(home, answer()) == [("monitor", "ok", "watching, 2 alerts firing", "")]
    found = told(home, answer(incidents={"P2": 2}))
    assert [one[:2] for one in found] == [("incidents", "warn"), ("monitor", "ok")]
    failed = told(home, answer(failures={"look": {"error": "OSError: full"}}))
    assert [one[:2] for one in failed] == [("monitor", "warn"), ("monitor", "warn")]


def test_a_monitor_that_is_silent_or_dead_is_a_failure(home: Home) -> None:
    ((item, state, words, remedy),) = told(home, answer(old_s=75))
    assert (item, state, remedy) == ("monitor", "fail", "levaithan restart")
    assert "75 s" in words and "no alerts" in words
    ((_, state, words, remedy),) = told(home, answer(child=None))
    assert (state, remedy) == ("fail", "levaithan restart")
    assert "does not run" in words and "ended with 1" in words
    assert told(home, answer(pid=6))[0][1] == "fail", "what another process wrote is not its own"
    assert told(home, answer(old_s=500, every_s=300))[0][1] == "ok", "it looks seldom because it was told so"


def test_a_service_that_has_just_begun_is_given_time(home: Home) -> None:
    ((_, state, words, _),) = told(home, answer(child=None, up_s=2))
    assert state == "warn"
    assert "begins" in words


def test_with_no_service_incidents_are_counted_and_it_says_that_nothing_watches(home: Home) -> None:
    opened(home.root)
    found = rows(home.root)
    assert found["incidents"]["status"] == "fail"
    assert found["incidents"]["value"] == "1 open incident of severity P1"
    assert "nothing watches" in found["monitor"]["value"]
    assert found["monitor"]["remedy"] == "levaithan start"


def test_a_monitor_that_is_switched_off_is_said(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "off", native=False, monitor="off")
    opened(root)
    with homes.serving(root):
        found = rows(root)
    assert (found["service"]["status"], found["monitor"]["status"]) == ("ok", "warn")
    assert "switched off" in found["monitor"]["value"]
    assert "LEVAITHAN_MONITOR=on" in found["monitor"]["remedy"]
    assert found["incidents"]["status"] == "fail"


def test_a_store_that_is_held_back_says_so_and_why(home: Home) -> None:
    homes.cli(home.root, "mode", "set", "degraded", "--reason", "lunch")
    found = rows(home.root)
    assert found["memory"]["value"].startswith("held, ")
    assert "embeddings are off" in found["memory"]["value"]
    assert found["memory"]["remedy"] == found["mode"]["remedy"]
    assert "catches up" in found["graph"]["remedy"]
    modes.break_circuit(home, "graph", 2**52, by="me", reason="it errs")
    graph = rows(home.root)["graph"]
    assert "circuit is broken" in graph["value"]
    assert "action undo" not in graph["remedy"], "a person's own is closed by that person"
    modes.break_circuit(home, "graph", 2**52, by="monitor (a-0cbccddd)", reason="it errs")
    assert rows(home.root)["graph"]["remedy"].endswith("at once by `levaithan action undo a-0cbccddd`")


def test_a_store_that_the_service_cannot_write_is_one_row(home: Home) -> None:
    error = {"message": "The graph store does not answer", "fix": "start it", "since": "2026-01-01T00:00:00Z"}
    said = {"pid": 7, "uptime_s": 9, "projector": {"stores": {"graph": {"error": error}}}}
    found = [*status._service(home, said), *status_stores.rows(home, said)]
    (graph,) = [one for one in found if one["item"] == "graph"]
    assert (graph["status"], graph["remedy"], graph["data"]["since"]) == ("fail", "start it", error["since"])
    assert graph["value"] == "up to date: The graph store does not answer"
    assert [one["status"] for one in found if one["item"] == "search"] == ["ok"]
    modes.break_circuit(home, "graph", 2**52, by="monitor (a-0cbccddd)", reason="it errs")
    (graph,) = [one for one in status_stores.rows(home, said) if one["item"] == "graph"]
    assert (graph["status"], graph["data"]["since"]) == ("warn", error["since"])
    assert "circuit is broken" in graph["value"]
    assert graph["data"]["circuit"] == modes.breakers(home)["graph"]


def test_a_store_that_the_running_service_has_elsewhere_asks_for_a_restart(home: Home) -> None:
    path = projecting.path_of(home)
    path.parent.mkdir(exist_ok=True)
    one = {"where": "postgresql://q:5432/it"}
    told = {"updated": datetime.now(UTC).isoformat(), "doing": "idle", "stores": {"ledger": one}}
    path.write_text(json.dumps(told))
    found = {one["item"]: one for one in status_stores.rows(home, {"projector": told})}
    assert (found["ledger"]["status"], found["ledger"]["remedy"]) == ("warn", "levaithan restart")
    assert one["where"] in found["ledger"]["value"]
    assert found["search"]["status"] == "ok"


def test_a_ledger_that_cannot_be_used_is_one_row_with_what_waits_for_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = {"code": "not_configured", "message": "There is no ledger adapter for oracle:// URLs.", "fix": "mend it"}
    now = datetime.now(UTC).isoformat()
    projector = {"pid": 8, "child": 8, "updated": now, "stores": {"ledger": {"error": error, "seq": 7}}}
    said = {"pid": 7, "projector": projector}
    monkeypatch.setattr(status.reading, "ask_service", lambda *_args, **_more: said)
    monkeypatch.setattr("levaithan.projector.feed.last_seq", lambda _journal: 10)
    (mended,) = [one for one in status.looks(home) if one["item"] == "ledger"]
    assert "the running service could not use it when it started" in mended["value"]
    assert (mended["status"], mended["remedy"]) == ("fail", "levaithan restart")
    monkeypatch.setenv("LEVAITHAN_LEDGER_URL", "oracle://x")
    found = list(status.looks(home))
    (ledger,) = [one for one in found if error["message"] in one["value"]]
    assert (ledger["item"], ledger["status"]) == ("ledger", "fail")
    assert ledger["value"] == f"{error['message']} 3 records wait for it"
    assert "LEVAITHAN_LEDGER_URL" in ledger["remedy"] and "`levaithan restart`" in ledger["remedy"]
    (guard,) = [one for one in found if one["item"] == "guard"]
    assert (guard["status"], guard["value"]) == ("warn", "not known: the ledger store cannot be asked")


def test_no_store_is_said_to_catch_up_that_nobody_brings_along(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("levaithan.projector.feed.last_seq", lambda _journal: 10_000)

    def remedies(said: dict[str, Any] | None) -> set[str]:
        found = [*status._complaints(said), *status_stores.rows(home, said)] if said else status_stores.rows(home, said)
        return {one["remedy"] for one in found if one["item"] in ("search", "graph", "projector")}

    now, long_ago = datetime.now(UTC).isoformat(), "2026-01-01T00:00:00Z"
    restart = "levaithan restart (nobody brings it along)"
    well = {"projector": {"pid": 8, "child": 8, "updated": now, "doing": "idle"}}
    assert remedies(well) == {"nothing: it catches up by itself"}
    assert remedies({"projector": {"pid": 7, "child": 8, "updated": long_ago}}) == {"nothing: it catches up by itself"}
    ended = {"projector": {"pid": 8, "child": None}, "loops": {"projector": {"last_error": "it ended with 4"}}}
    assert remedies(ended) == {restart, "levaithan restart; logs/service.log says more"}
    assert remedies({"projector": {"pid": 8, "child": 8, "updated": long_ago}}) > {restart}
    assert remedies(None) == {"it catches up at the next read, or with the service: levaithan start"}


def test_the_verdict_names_each_store_that_is_held_by_whom_until_when_and_what_releases_it(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    until = time.time_ns() // 1000 + 60_000_000
    modes.break_circuit(home, "graph", until, by="monitor (a-0cbccddd)", reason="it errs")
    modes.set_mode(home, 1, by="ann", reason="lunch")
    found = list(status_stores.rows(home, None))
    monkeypatch.setattr(status, "looks", lambda _home: iter(found))
    status.status()
    said = capsys.readouterr().err
    ends = modes.breakers(home)["graph"]["until"]
    assert f"Held: graph until {ends} by monitor (a-0cbccddd); `levaithan action undo a-0cbccddd` releases" in said
    assert "Held: memory by ann: the mode is degraded" in said and "`levaithan mode set normal --reason" in said
    failed = status.row("hooks", "fail", "gone", "put them back")
    monkeypatch.setattr(status, "looks", lambda _home: iter([*found, failed]))
    with pytest.raises(Unhealthy, match=r"Not all is well: hooks. Held: graph until .*levaithan action undo a-"):
        status.status()
    monkeypatch.setattr(status, "looks", lambda _home: iter([failed]))
    with pytest.raises(Unhealthy, match=r"Not all is well: hooks\.$"):
        status.status()


def test_store_status_says_that_a_store_is_held_beside_how_it_is(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    modes.break_circuit(home, "graph", 2**52, by="monitor (a-0cbccddd)", reason="it errs")
    store.status(["graph", "search"], json=True)
    out, err = capsys.readouterr()
    graph, search = json.loads(out)["rows"]
    assert (graph["state"], graph["circuit"]) == ("ok", modes.breakers(home)["graph"])
    assert "held" not in search
    assert err.startswith("Held: graph until ") and "`levaithan action undo a-0cbccddd` releases it" in err


def test_mode_show_counts_no_circuit_of_an_address_that_the_store_had_before(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    until = time.time_ns() // 1000 + 60_000_000
    modes.break_circuit(home, "graph", until, by="ann", reason="it errs", where="http://old:6969")
    modes.break_circuit(home, "memory", until, by="ann", reason="it errs")
    mode.show(table=False, json=True)
    out, err = capsys.readouterr()
    (row,) = json.loads(out)["rows"]
    assert row["broken_circuits"] == "memory"
    assert {one["store"]: one["holds"] for one in row["circuits"]} == {"graph": False, "memory": True}
    assert "the circuit of graph was broken for http://old:6969: the store is at" in err and "memory" not in err


@pytest.mark.parametrize(
    ("env", "known"),
    [("no assignment", False), ("LEVAITHAN_SEARCH=maybe", False), ("LEVAITHAN_STORE_TIMEOUT_MS=x", False), ("", True)],
)
def test_the_emergency_stop_needs_no_settings_and_asks_for_none_before_it_is_set(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], env: str, known: bool
) -> None:
    modes.break_circuit(home, "graph", 2**52, by="monitor (a-0cbccddd)", reason="it errs")
    Path(home.root, ".env").write_text(env)
    stopped: list[bool] = []
    real = lean.load
    monkeypatch.setattr(lean, "load", lambda *args: [stopped.append(bool(halts.active(home))), real(*args)][1])
    mode.set_("normal", reason="x", rung=None, dry_run=True)
    assert stopped == []
    mode.set_("halted", reason="all stop", rung=None)
    assert halts.active(home) and stopped == [True], "where the stores are is asked when the halt is in force"
    capsys.readouterr()
    mode.show(table=False, json=True)
    out, err = capsys.readouterr()
    (row,) = json.loads(out)["rows"]
    (circuit,) = row["circuits"]
    assert (row["mode"], row["broken_circuits"], bool(circuit["at"])) == ("halted", "graph", known)
    assert ("the settings do not say where the graph store is now" in err) is not known
    halts.release_halt(home, "all")
    mode.set_("normal", reason="over", rung=None)
    assert [one["before"] for one in homes.journal_records(home.root) if one["kind"] == "mode"] == ["normal", "normal"]


def test_a_store_whose_settings_cannot_be_used_hides_no_other(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEVAITHAN_SEARCH_URL", "gopher://h")
    found = {one["item"]: one["status"] for one in status_stores.rows(home, None)}
    assert (found["search"], found["graph"], found["memory"]) == ("fail", "ok", "ok")


def test_doctor_and_store_check_say_that_a_store_is_held_until_when_why_and_what_lets_it_go(home: Home) -> None:
    modes.break_circuit(home, "graph", 2**52, by="monitor (a-0cbccddd)", reason="it errs")
    settings = lean.load(home.root)
    first, *rest = checks_stores.of_store("graph", settings, home)
    until = modes.breakers(home)["graph"]["until"]
    assert (first.id, first.status) == ("graph", "warn")
    assert f"it is held, its records wait: its circuit is broken until {until}: it errs" in first.message
    assert first.remedy.endswith("`levaithan action undo a-0cbccddd`")
    assert first.data["circuit"]["by"] == "monitor (a-0cbccddd)"
    assert [one.status for one in rest] == ["ok"]
    modes.break_circuit(home, "graph", 2**52, by="monitor (a-0cbccddd)", reason="it errs", where="http://old:6969")
    assert [one.status for one in checks_stores.of_store("graph", settings, home)] == ["ok"]


def test_what_to_do_is_whole_in_a_narrow_terminal_and_when_it_is_piped(home: Home) -> None:
    for columns in ({"COLUMNS": "60"}, {}):
        done = homes.cli(home.root, "status", check=False, env=homes.plain_environment() | columns)
        assert "levaithan start (hooks are decided and recorded without it, slower)" in done.stdout
        assert "…" not in done.stdout


def test_a_question_to_a_store_that_is_held_back_says_why_it_is_behind(home: Home) -> None:
    root = home.root
    with homes.serving(root):
        homes.sync(root)
        modes.break_circuit(home, "memory", 2**52, by="me", reason="it errs")
        homes.cli(root, "memory", "add", "a note that the memory does not get")
        said = homes.cli(root, "memory", "search", "note").stderr
    assert "the memory store is behind the journal (its circuit is broken until" in said
    assert "it errs" in said


def test_the_mode_names_the_way_out_of_a_halt(home: Home) -> None:
    homes.cli(home.root, "mode", "set", "halted", "--reason", "lunch")
    found = rows(home.root)
    assert found["mode"]["remedy"] == found["halt"]["remedy"]
    assert found["mode"]["remedy"].startswith("levaithan halt release h-")


def test_a_copied_home_is_a_row_of_its_own() -> None:
    copy = {"message": "this home is in use twice", "fix": "on the copy: levaithan stop"}
    told = {"answering": True, "machines": 1, "copy": None}
    assert [one["item"] for one in status._sharing(told)] == ["sharing"]
    found = [(one["item"], one["status"], one["remedy"]) for one in status._sharing(told | {"copy": copy})]
    assert found == [("sharing", "ok", ""), ("home", "warn", copy["fix"])]
