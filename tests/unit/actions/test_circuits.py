"""A circuit is broken for a store that fails now, where it is now: not for one that was elsewhere or is well again."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.support import homes

from levaithan.actions import circuit_break_store, holding, over
from levaithan.actions.action import MONITOR
from levaithan.cli import action
from levaithan.hot import modes
from levaithan.stores import address
from levaithan.stores.registry import open_store

ERROR = {"code": "store_down", "message": "it does not answer", "fix": "start it", "since": "2026-01-01T00:00:00Z"}
ELSEWHERE = "http://127.0.0.1:9200"


def told(place: Any, *, old_s: float = 0.0, doing: str = "idle", **store: Any) -> None:
    """What the projector says of the search."""
    Path(place.home.run).mkdir(exist_ok=True)
    updated = (datetime.now(UTC) - timedelta(seconds=old_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    said = {"pid": 1, "updated": updated, "doing": doing, "stores": {"search": store}}
    Path(place.home.run, "projector.json").write_text(json.dumps(said))


def here(place: Any) -> str:
    return address.of(open_store("search", place.settings, place.home))


def answered(place: Any) -> Any:
    """What the monitor does about it, when the search is said to be down."""
    runner = place.runner()
    place.opened(runner, place.incident("P1", "high_error_rate", "StoreDown", store="search"))
    (run,) = runner.runs.by_id.values()
    homes.until(lambda: runner.tick(place.now) or run.phase != "intent")
    return run


def test_the_monitor_leaves_a_store_alone_that_fails_now_where_it_is_now(place: Any) -> None:
    told(place, where=here(place), error=ERROR)
    run = answered(place)
    assert run.by == MONITOR and run.undo == {"close": "search", "where": here(place)}
    assert modes.breakers(place.home)["search"]["where"] == here(place)
    assert "circuit is broken" in modes.held(place.home, "search", remote=False, where=here(place))
    assert modes.held(place.home, "search", remote=True, where=ELSEWHERE) == ""


def test_a_store_that_flaps_is_left_alone_though_it_is_well_at_the_look(place: Any) -> None:
    told(place, where=here(place), error=None, flaps=True)
    assert answered(place).phase != "refused"
    assert modes.held(place.home, "search", remote=False, where=here(place))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"where": None, "error": None}, "it does not fail any more"),
        ({"where": None, "error": None, "flaps": False}, "it does not fail any more"),
        ({"where": ELSEWHERE, "error": ERROR}, "another address"),
        ({"where": None, "error": ERROR, "old_s": 60.0}, "the projector is silent"),
        ({"where": None, "error": ERROR, "doing": "stopped"}, "the projector is silent"),
    ],
)
def test_what_is_over_or_was_elsewhere_breaks_no_circuit(place: Any, said: dict[str, Any], why: str) -> None:
    """An hour's ratio fires for servers that the settings do not name any more, and then for the store in the home."""
    told(place, **{**said, "where": said["where"] or here(place)})
    run = answered(place)
    assert run.phase == "refused" and why in run.why
    assert modes.breakers(place.home) == {}


def test_a_projector_of_an_older_version_that_tells_no_address_is_believed(place: Any) -> None:
    told(place, error=ERROR)
    assert answered(place).phase != "refused"


def test_a_person_may_break_the_circuit_of_a_store_that_is_well(place: Any) -> None:
    told(place, where=here(place), error=None)
    run = place.runner().run("circuit_break_store", {"store": "search"}, by="ann", reason="repairs")
    assert run.phase == "verified" and modes.breakers(place.home)["search"]["where"] == here(place)


def test_a_circuit_of_another_address_is_no_reason_to_refuse_one(place: Any) -> None:
    until = time.time_ns() // 1000 + 60_000_000
    modes.break_circuit(place.home, "search", until, by="ann", reason="it is down", where=ELSEWHERE)
    run = place.runner().run("circuit_break_store", {"store": "search"}, by="bob", reason="this one too")
    assert run.phase == "verified" and modes.breakers(place.home)["search"]["where"] == here(place)


def test_a_run_whose_store_went_elsewhere_is_verified_for_nobody_writes_there(place: Any) -> None:
    place.answer = {"ok": True}
    told(place, where=here(place), error=ERROR)
    runner = place.runner()
    run = runner.run("circuit_break_store", {"store": "search"}, by="ann", reason="it is down")
    assert run.phase == "done", "the projector does not say so yet"
    told(place, where=ELSEWHERE, error=None)
    assert circuit_break_store.check(runner.world, run) is True


def test_who_is_held_why_and_by_which_command_it_is_let_go(place: Any) -> None:
    store = open_store("search", place.settings, place.home)
    assert holding.of(place.home, store) is None
    run = place.runner().run("circuit_break_store", {"store": "search"}, by="ann", reason="it is down")
    held = holding.of(place.home, store)
    assert held is not None and held.circuit is not None
    assert held.circuit["until"] in held.why and "it is down" in held.why and f"ann ({run.id})" in held.why
    assert held.brief.startswith(f"until {held.circuit['until']} by ann ({run.id})")
    assert f"`levaithan action undo {run.id}`" in held.brief and held.circuit["until"] in held.remedy
    assert f"`levaithan action undo {run.id}`" in held.remedy
    place.runner().undo(run.id, "ann", "over")
    modes.set_mode(place.home, 5, by="ann", reason="x")
    memory = holding.of(place.home, open_store("memory", place.settings, place.home))
    assert memory is not None and memory.circuit is None and memory.remedy == holding.BACK
    assert (
        memory.brief.startswith("by ann: the mode is") and "`levaithan mode set normal --reason TEXT`" in memory.brief
    )


def test_the_run_and_its_circuit_end_at_one_moment_and_the_store_is_asked_from_then_on(place: Any) -> None:
    place.now = time.time()
    runner = place.runner()
    runner.world.now = time.time
    run = runner.run("circuit_break_store", {"store": "search"}, by="ann", reason="it is down")
    until = modes.breakers(place.home)["search"]["until"]
    assert until == action.row(run)["expires_at"]
    end_us = int(run.expires_s * 1_000_000)
    assert modes.breakers(place.home, end_us - 1) and not modes.breakers(place.home, end_us)


def test_by_a_clock_that_was_set_a_circuit_lasts_as_long(place: Any) -> None:
    """The monitor's clock never jumps, and what is in a file goes by the wall's."""
    runner = place.runner()
    assert abs(place.now - time.time()) > 3600
    runner.run("circuit_break_store", {"store": "search"}, by="ann", reason="it is down")
    until = datetime.fromisoformat(modes.breakers(place.home)["search"]["until"]).timestamp()
    assert 590 < until - time.time() <= 600


def test_a_persons_circuit_holds_the_address_that_the_running_service_has_and_says_that_it_is_another(
    place: Any,
) -> None:
    """The URL was edited and the service not restarted: the projector goes on at the old address."""
    place.answer = {"ok": True}
    told(place, where=ELSEWHERE, error=None)
    runner = place.runner()
    run = runner.run("circuit_break_store", {"store": "search"}, by="ann", reason="repairs")
    assert modes.held(place.home, "search", remote=True, where=ELSEWHERE)
    assert run.phase == "done", "the projector does not say yet that it holds it"
    assert ELSEWHERE in run.facts["note"] and "levaithan restart" in run.facts["note"]
    store = open_store("search", place.settings, place.home)
    assert holding.of(place.home, store) is not None, "the projector leaves it alone, whatever the settings say by now"
    held = modes.held(place.home, "search", remote=True, where=ELSEWHERE)
    told(place, where=ELSEWHERE, error=None, held=held)
    assert circuit_break_store.check(runner.world, run) is True


def test_what_the_projector_holds_for_another_reason_verifies_no_circuit(place: Any) -> None:
    place.answer = {"ok": True}
    told(place, where=here(place), error=None, held="the mode is local-only, server-stores are off")
    runner = place.runner()
    run = runner.run("circuit_break_store", {"store": "search"}, by="ann", reason="repairs")
    assert circuit_break_store.check(runner.world, run) is None
    told(place, old_s=60.0, where=here(place), held=modes.held(place.home, "search", remote=False, where=here(place)))
    assert circuit_break_store.check(runner.world, run) is None, "the projector is silent, and nobody knows"


def test_a_circuit_of_an_address_that_the_projector_turns_out_not_to_have_is_no_verified_one(place: Any) -> None:
    place.answer = {"ok": True}
    runner = place.runner()
    run = runner.run("circuit_break_store", {"store": "search"}, by="ann", reason="repairs")
    assert run.phase == "done"
    told(place, where=ELSEWHERE, error=None)
    assert circuit_break_store.check(runner.world, run) is False


def test_the_same_again_is_done_anew_once_the_store_is_elsewhere(place: Any) -> None:
    place.answer = {"ok": True}
    told(place, where=ELSEWHERE, error=None)
    runner = place.runner()
    first = runner.run("circuit_break_store", {"store": "search"}, by="ann", reason="repairs")
    assert runner.run("circuit_break_store", {"store": "search"}, by="ann", reason="repairs") is first
    (shown,) = holding.circuits(place.home, place.settings)
    assert (shown["at"], shown["holds"]) == (ELSEWHERE, True)
    told(place, where=here(place), error=None)
    (shown,) = holding.circuits(place.home, place.settings)
    assert (shown["where"], shown["at"], shown["holds"]) == (ELSEWHERE, here(place), False)
    again = runner.run("circuit_break_store", {"store": "search"}, by="ann", reason="repairs")
    assert again is not first and modes.held(place.home, "search", remote=False, where=here(place))
    assert circuit_break_store.gone(runner.world, first) and not circuit_break_store.gone(runner.world, again)
    assert circuit_break_store.check(runner.world, first) is False


def test_a_run_is_over_with_its_circuit_where_no_monitor_writes_that_down(place: Any) -> None:
    runner = place.runner()
    first = runner.run("circuit_break_store", {"store": "search"}, by="ann", reason="it is down")
    assert over.why(circuit_break_store.ACTION, runner.world, first) == ""
    place.now += 601.0
    assert over.why(circuit_break_store.ACTION, runner.world, first) == over.EXPIRED
    place.now -= 601.0
    modes.close_circuit(place.home, "search")
    assert over.why(circuit_break_store.ACTION, runner.world, first) == over.RELEASED
    again = runner.run("circuit_break_store", {"store": "search"}, by="ann", reason="still down")
    assert again is not first and modes.breakers(place.home)["search"]["reason"] == "still down"


def test_the_store_in_the_home_is_not_held_for_the_server_that_was_there_before(place: Any) -> None:
    """A circuit that the monitor broke for a server, whose URL was taken out, with a restart and without one."""
    until = time.time_ns() // 1000 + 60_000_000
    modes.break_circuit(place.home, "search", until, by="monitor (a-1)", reason="it is down", where=ELSEWHERE)
    store = open_store("search", place.settings, place.home)
    assert holding.of(place.home, store) is None, "no projector runs, and the next one has it in the home"
    told(place, where=here(place), error=None)
    assert holding.of(place.home, store) is None
    assert answered(place).phase == "refused"
    assert modes.held(place.home, "search", remote=False, where=here(place)) == ""


def test_a_circuit_whose_store_cannot_be_asked_is_closed_and_recorded_as_undone_by_who_undid_it(place: Any) -> None:
    first = place.runner().run("circuit_break_store", {"store": "search"}, by="ann", reason="it is down")
    runner = place.runner(search_url=SecretStr("gopher://h"))
    run = runner.undo(first.id, "bob", "it is mended")
    assert (run.phase, modes.breakers(place.home)) == ("undone", {})
    assert run.why.startswith("it is mended: closed; it could not be asked (NotConfigured: ")
    assert place.records()[-1]["by"] == "bob"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "closed; it answers"),
        ({"search": False}, "closed; the settings have no such store now, so none was asked"),
        ({"search_url": SecretStr(ELSEWHERE)}, "closed; the settings name another address than "),
    ],
)
def test_only_the_store_that_was_held_is_probed(place: Any, settings: dict[str, Any], words: str) -> None:
    first = place.runner().run("circuit_break_store", {"store": "search"}, by="ann", reason="it is down")
    assert place.runner(**settings).undo(first.id, "ann", "over").why.startswith(f"over: {words}")


@pytest.mark.parametrize("settings", [{"search": False}, {"search_url": SecretStr("gopher://h")}])
def test_settings_that_name_no_address_are_not_said_to_name_another(place: Any, settings: dict[str, Any]) -> None:
    place.answer = {"ok": True}
    told(place, where=ELSEWHERE, error=None)
    run = place.runner(**settings).run("circuit_break_store", {"store": "search"}, by="ann", reason="repairs")
    assert modes.breakers(place.home)["search"]["where"] == ELSEWHERE and "note" not in run.facts


@pytest.mark.parametrize("ends", ["by the monitor", "by hand", "with the next one"])
def test_a_circuit_that_gave_way_to_one_of_another_address_was_released_by_nobody(place: Any, ends: str) -> None:
    place.answer = {"ok": True}
    told(place, where=ELSEWHERE, error=None)
    runner = place.runner()
    first = runner.run("circuit_break_store", {"store": "search"}, by="ann", reason="repairs")
    told(place, where=here(place), error=None)
    second = runner.run("circuit_break_store", {"store": "search"}, by="bob", reason="this one too")
    if ends == "by the monitor":
        place.passes(3, runner)
        assert (first.phase, first.why) == ("undone", f"another took its place: {second.id}")
        assert [one["by"] for one in place.records() if one["run"] == first.id][-1] == "bob"
    elif ends == "by hand":
        assert runner.undo(first.id, "ann", "over").why == "over: another circuit took its place"
        assert modes.breakers(place.home)["search"]["by"] == f"bob ({second.id})"
    else:
        runner.undo(second.id, "bob", "over")
        third = runner.run("circuit_break_store", {"store": "search"}, by="cid", reason="again")
        assert third is not first and first.why.startswith(f"another took its place: {second.id}; no monitor")
