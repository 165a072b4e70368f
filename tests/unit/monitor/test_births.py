"""A counter's first 0, until Prometheus has seen it."""

from __future__ import annotations

from levaithan.monitor.births import LONGEST_S, Births

PROMETHEUS = "Prometheus/2.42.0"
ONE, TWO = ("a_total", ("x",)), ("a_total", ("y",))


def test_it_stands_until_prometheus_has_fetched_it() -> None:
    births = Births(lambda: 0.0)
    assert births.next([ONE]) == {ONE}
    births.fetched(births.number, "curl/8.0")
    assert births.next([]) == {ONE}, "a person's look is none of Prometheus'"
    births.fetched(births.number, PROMETHEUS)
    assert births.next([TWO]) == {TWO}


def test_a_text_that_was_made_before_shows_nothing_of_what_came_after() -> None:
    births = Births(lambda: 0.0)
    births.next([])
    before = births.number
    births.next([ONE])
    births.fetched(before, PROMETHEUS)
    assert births.next([]) == {ONE}


def test_where_nobody_fetches_it_does_not_stand_for_ever() -> None:
    clock = [0.0]
    births = Births(lambda: clock[0])
    births.next([ONE])
    clock[0] = LONGEST_S - 1
    assert births.next([]) == {ONE}
    clock[0] = LONGEST_S
    assert births.next([]) == frozenset()
