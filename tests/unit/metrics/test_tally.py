"""The tally: bounds, dumps, and its text as Prometheus' own parsers read it."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from levaithan.metrics.exposition import Exposition
from levaithan.metrics.families import BY_NAME, COUNTER, FAMILIES, GAUGE, HISTOGRAM
from levaithan.metrics.tally import MOST_SERIES, Tally, edge_text

_HOSTILE = st.text(max_size=20) | st.sampled_from(['a"b', "a\\b", "a\nb", "ünïcode", "{}", "\u2028", "x" * 300])


def parsed(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of a text, as prometheus-client's parser reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def filled(amounts: list[tuple[int, str, float]]) -> Tally:
    """A tally with an amount for each (number of a family, label, value)."""
    tally = Tally()
    for number, label, value in amounts:
        family = FAMILIES[number % len(FAMILIES)]
        labels = (label,) * len(family.labels)
        if family.kind == HISTOGRAM:
            tally.observe(family.name, labels, value)
        elif family.kind == COUNTER:
            tally.add(family.name, labels, value)
        else:
            tally.set(family.name, labels, value)
    return tally


_AMOUNTS = st.lists(st.tuples(st.integers(0, 200), _HOSTILE, st.floats(0, 1e9)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(_AMOUNTS)
def test_the_text_says_what_the_series_say(amounts: list[tuple[int, str, float]]) -> None:
    tally = filled([one for one in amounts if "\r" not in one[1]])
    told = {(name, pairs): value for name, pairs, value in tally.series()}
    assert len(told) == tally.count()
    assert parsed(tally.exposition()) == told


@settings(max_examples=60, deadline=None)
@given(_AMOUNTS, _AMOUNTS)
def test_a_dump_goes_on_as_if_nothing_had_been(
    first: list[tuple[int, str, float]], then: list[tuple[int, str, float]]
) -> None:
    whole, begun = filled(first), filled(first)
    gone_on = Tally()
    gone_on.load(json.loads(json.dumps(begun.dump())))
    for tally in (whole, gone_on):
        for number, label, value in then:
            family = FAMILIES[number % len(FAMILIES)]
            labels = (label,) * len(family.labels)
            if family.kind == HISTOGRAM:
                tally.observe(family.name, labels, value)
            elif family.kind == COUNTER:
                tally.add(family.name, labels, value)
    kept = {(name, pairs): value for name, pairs, value in gone_on.series()}
    gauges = {family.name for family in FAMILIES if family.kind == GAUGE}
    wanted = {(name, pairs): value for name, pairs, value in whole.series() if name not in gauges}
    assert {key: value for key, value in kept.items() if key[0] not in gauges} == pytest.approx(wanted)
    assert gone_on.count() == len(kept)


def test_what_is_bounded_counts_under_other() -> None:
    tally = Tally()
    for number in range(20_000):
        tally.add("levaithan_tokens_total", (f"m{number}", f"p{number}", "input"))
        tally.add("levaithan_cost_usd_total", (f"m{number}", f"p{number}"), 1.0)
        tally.observe("levaithan_tool_duration_seconds", (f"t{number}",), 1.0)
        tally.set("levaithan_store_up", (f"s{number}", "embedded"), 1.0)
    assert tally.count() == len(list(tally.series())) <= MOST_SERIES + 60
    assert tally.value("levaithan_tokens_total", ("other", "other", "other")) > 19_000
    assert sum(tally.table("levaithan_cost_usd_total").values()) == 20_000


def test_a_name_that_is_no_family_cannot_be_counted() -> None:
    tally = Tally()
    for wrong in (
        lambda: tally.add("levaithan_made_up_total"), lambda: tally.set("levaithan_made_up", (), 1.0),
        lambda: tally.observe("levaithan_hook_events_total", (), 1.0),
        lambda: tally.add("levaithan_hook_events_total", ("too few",)),
    ):  # fmt: skip
        with pytest.raises(KeyError):
            wrong()


def test_every_known_label_set_is_there_at_nought_and_no_gauge_says_what_nobody_saw() -> None:
    tally = Tally()
    told = {name for name, _, _ in tally.series()}
    for family in FAMILIES:
        if family.kind == COUNTER:
            for labels in family.known:
                assert tally.table(family.name)[labels] == 0.0
    assert "levaithan_journal_writable" not in told  # 0 would be an emergency
    assert all(value == 0 for _, _, value in tally.series())
    assert tally.count() < MOST_SERIES / 2


def test_gauges_that_are_gone_are_gone() -> None:
    tally = Tally()
    before = tally.count()
    tally.replace("levaithan_leases_held", {("/a",): 1.0, ("/b",): 2.0})
    tally.replace("levaithan_leases_held", {("/b",): 3.0})
    assert tally.table("levaithan_leases_held") == {("/b",): 3.0}
    assert tally.count() == before + 1


def test_a_total_known_elsewhere_never_falls() -> None:
    tally = Tally()
    for total in (5.0, 3.0, 7.0):
        tally.raise_to("levaithan_cost_usd_total", ("m", "/p"), total)
    assert tally.value("levaithan_cost_usd_total", ("m", "/p")) == 7.0


@pytest.mark.parametrize("dump", [{}, {"version": 2}, {"version": 1, "counters": 3}, {"version": 1, "counters": {}}])
def test_what_is_no_dump_is_refused(dump: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        Tally().load(dump)


def test_a_dump_of_other_buckets_or_labels_is_left_out() -> None:
    tally = Tally()
    dumped = tally.dump()
    dumped["histograms"]["levaithan_tool_duration_seconds"] = [[["Bash"], [[1.0, 2.0], [1.0, 1.0, 1.0, 3.0]]]]
    dumped["counters"]["levaithan_tool_calls_total"] = [[["Bash", "more"], 4.0]]
    dumped["counters"]["levaithan_gone_total"] = [[["x"], 4.0]]
    tally.load(dumped)
    assert sum(tally.bins("levaithan_tool_duration_seconds", ("Bash",))) == 0
    assert tally.value("levaithan_tool_calls_total", ("Bash",)) == 0


def test_the_bytes_are_made_once_a_second() -> None:
    clock = [100.0]
    tally = Tally()
    made = Exposition(tally, lambda: clock[0])
    first = made.bytes()
    tally.add("levaithan_journal_records_total")
    clock[0] = 100.9
    assert made.bytes() is first
    clock[0] = 101.0
    assert b"levaithan_journal_records_total 1.0" in made.bytes()


def test_the_service_process_is_in_the_text() -> None:
    text = Exposition(Tally(), lambda: 0.0, pid=os.getpid).bytes()
    assert b"process_resident_memory_bytes" in text or not os.path.exists("/proc/self/stat")
    assert b"\nprocess_cpu" not in Exposition(Tally(), lambda: 0.0, pid=lambda: 0).bytes()  # no service: nothing said


def test_edges_are_written_as_prometheus_writes_them() -> None:
    assert [edge_text(edge) for edge in (0.0005, 5.0, 604_800.0, math.inf)] == ["0.0005", "5.0", "604800.0", "+Inf"]
    assert all(list(family.buckets) == sorted(set(family.buckets)) for family in FAMILIES)


def test_promtool_finds_nothing_to_improve() -> None:
    """`promtool check metrics`: names, units, types, help, as Prometheus' own linter wants them."""
    promtool = os.environ.get("LEVAITHAN_TEST_PROMTOOL") or shutil.which("promtool")
    if promtool is None:
        required = {one.strip() for one in os.environ.get("LEVAITHAN_REQUIRE_STORES", "").split(",")}
        if required & {"prometheus", "all"}:
            pytest.fail("LEVAITHAN_REQUIRE_STORES asks for prometheus, and promtool is not there")
        pytest.skip("promtool is not there: tests/servers/install brings it (Debian: apt install prometheus)")
    tally = Tally()
    for family in FAMILIES:
        labels = ("x",) * len(family.labels)
        if family.kind == HISTOGRAM:
            tally.observe(family.name, labels, 1.0)
        elif family.kind == COUNTER:
            tally.add(family.name, labels)
        else:
            tally.set(family.name, labels, 1.0)
    done = subprocess.run(
        [promtool, "check", "metrics"], input=tally.exposition(), capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_names_follow_prometheus_rules() -> None:
    for name, family in BY_NAME.items():
        assert name.startswith("levaithan_")
        assert name.endswith("_total") == (family.kind == COUNTER), name
        assert family.help.endswith("."), name
        assert not name.endswith(("_ms", "_milliseconds", "_kb", "_percent")), name
        forbidden = {
            "session",
            "session_id",
            "agent_id",
            "prompt_id",
            "tool_use_id",
            "path_of_file",
            "command",
            "user",
            "error",
        }
        assert not forbidden & set(family.labels), name


def test_a_counter_that_begins_is_shown_as_0_for_so_many_looks() -> None:
    tally = Tally()
    name, labels = "levaithan_cost_usd_total", ("claude-new", "/p")
    tally.add(name, labels, 3.0)

    def shown(young: int) -> float:
        return next(
            value for series, pairs, value in tally.series(young=young) if series == name and ("project", "/p") in pairs
        )

    assert (shown(0), shown(1), tally.young(1)) == (3.0, 0.0, {(name, labels)})
    tally.grow()
    tally.add(name, labels, 1.0)
    assert (shown(1), shown(2)) == (4.0, 0.0)
    again = Tally()
    again.load(json.loads(json.dumps(tally.dump())))
    assert again.young(100) == frozenset(), "what goes on after a restart does not begin"
    known = ("levaithan_hook_events_total", ("PreToolUse", "deny"))
    tally.add(*known)
    assert known not in tally.young(100), "what was there at 0 from the start needs no other 0"
