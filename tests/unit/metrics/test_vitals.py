"""The figures by the minute: what each row says, what a set clock does, what is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from levaithan.hot.paths import home_at
from levaithan.metrics import kept_state, vitals
from levaithan.metrics.families import BY_NAME
from levaithan.metrics.tally import Tally
from levaithan.metrics.vitals import P99, Vitals

T0 = 1_790_000_000.0


def minutes(*changes: Any) -> tuple[Vitals, list[dict[str, float]]]:
    """The rows after these changes of a tally, a minute each, after a first look."""
    tally = Tally()
    made = Vitals(tally)
    made.look(T0)
    for number, change in enumerate(changes, 1):
        change(tally)
        made.look(T0 + 60 * number)
    return made, [figures for _, figures in made.rows]


def test_every_figure_is_of_a_metric_that_there_is() -> None:
    assert {"levaithan_" + one.name for one in vitals.FIGURES} <= set(BY_NAME)
    assert all(BY_NAME["levaithan_" + one.name].kind == ("counter" if one.how == vitals.RISE else "gauge")
               for one in vitals.FIGURES)  # fmt: skip


def test_a_counter_is_what_it_rose_by_and_a_gauge_what_it_is() -> None:
    def first(tally: Tally) -> None:
        tally.add("levaithan_hook_events_total", ("PreToolUse", "deny"), 3)
        tally.add("levaithan_hook_events_total", ("PreToolUse", "allow"), 10)
        tally.set("levaithan_store_lag_seconds", ("graph", "embedded"), 7.5)
        tally.set("levaithan_store_lag_seconds", ("ledger", "embedded"), 0.0)
        tally.set("levaithan_journal_writable", (), 0.0)

    _, (one, two) = minutes(first, lambda tally: tally.add("levaithan_hook_events_total", ("PreToolUse", "allow"), 2))
    assert (one["hook_events_total"], one["hook_events_total deny"]) == (13, 3)
    assert (two["hook_events_total"], two["hook_events_total deny"]) == (2, 0)
    assert (one["store_lag_seconds graph"], two["store_lag_seconds ledger"]) == (7.5, 0.0)
    assert one["journal_writable"] == 0
    assert not any("cost" in name for name in one), "what nobody measured is not told"


def test_the_first_that_a_counter_counts_is_a_rise() -> None:
    def spent(usd: float) -> Any:
        return lambda tally: tally.add("levaithan_cost_usd_total", ("opus", "p"), usd)

    _, rows = minutes(lambda _tally: None, spent(3.0), spent(0.5))
    assert [row.get("cost_usd_total") for row in rows] == [None, 3.0, 0.5]


def test_old_records_that_are_read_are_no_rise_of_now() -> None:
    def behind(yes: float, denied: int) -> Any:
        def change(tally: Tally) -> None:
            tally.set("levaithan_metrics_catching_up", (), yes)
            tally.add("levaithan_hook_events_total", ("PreToolUse", "deny"), denied)
            tally.observe("levaithan_hook_duration_seconds", ("Stop", "native"), 0.4, 10 * denied)
            tally.set("levaithan_journal_writable", (), 1.0)

        return change

    _, rows = minutes(behind(0.0, 1), behind(1.0, 5000), behind(0.0, 2))
    assert [row.get("hook_events_total deny") for row in rows] == [1, None, 2]
    assert [P99 in row for row in rows] == [False, False, True]
    assert [row["journal_writable"] for row in rows] == [1, 1, 1], "what stands is of now"


def test_the_p99_is_of_the_minute_and_only_of_enough_calls() -> None:
    def calls(seconds: float, count: int) -> Any:
        return lambda tally: tally.observe("levaithan_hook_duration_seconds", ("Stop", "native"), seconds, count)

    made, rows = minutes(calls(0.002, 1000), calls(0.4, 30), calls(0.4, 19), calls(60.0, 100))
    assert 0.001 < rows[0][P99] <= 0.0025
    assert 0.25 < rows[1][P99] <= 0.5, "of the minute's own calls"
    assert P99 not in rows[2]
    assert rows[3][P99] == 5.0, "beyond all buckets"
    assert made.last(P99, T0 + 240) == 5.0
    assert made.last(P99, T0 + 240 + 121) is None, "too old to speak for now"
    assert made.last("nonsense", T0 + 240) is None


def test_a_row_a_minute_whatever_the_clock_does_and_an_end_to_it() -> None:
    made = Vitals(Tally())
    for second in range(0, 600, 5):
        made.look(T0 + second)
    assert 9 <= len(made.rows) <= 10
    made.look(T0 - 86_400)
    made.look(T0 - 86_395)
    assert len(made.rows) <= 11
    for minute in range(2 * vitals.MOST):
        made.look(T0 + 3600 + 60 * minute)
    assert len(made.rows) == vitals.MOST
    assert len(json.dumps(made.dump())) < 500_000


@pytest.mark.parametrize(
    "dumped",
    [
        None,
        7,
        [7],
        {},
        {"at": [1.0]},
        {"at": 7, "figures": {}},
        {"at": ["x"], "figures": {}},
        {"at": [True], "figures": {}},
    ],
)
def test_what_is_none_is_left_out(dumped: Any, tmp_path: Path) -> None:
    made = Vitals(Tally())
    made.load(dumped)
    assert list(made.rows) == []
    home = home_at(str(tmp_path))
    Path(home.state).mkdir()
    assert vitals.kept(home) == []
    kept_state.path_of(home).write_bytes(b"{")
    assert vitals.kept(home) == []
    kept_state.write(home, {"more": {vitals.KEPT: dumped}})
    assert vitals.kept(home) == []


def test_what_was_kept_is_read_again_but_for_what_is_damaged() -> None:
    made, _ = minutes(lambda tally: tally.set("levaithan_leases_held", ("/p",), 2.0), lambda _tally: None)
    again = Vitals(Tally())
    again.load(json.loads(json.dumps(made.dump())))
    assert again.rows == made.rows
    again.load({"at": [1, 2], "figures": {"a": [5, None], "b": ["x", 7], "c": 7, "d": [1, 2, 3]}})
    assert list(again.rows) == [(1.0, {"a": 5.0, "d": 1.0}), (2.0, {"b": 7.0, "d": 2.0})]
