"""Prices: exact sums, the client's own to the cent, and nothing guessed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.hot.test_usage import RECORDED, calls_in, read

from levaithan.hot import kept, prices
from levaithan.hot.paths import Home
from levaithan.hot.prices import Prices
from levaithan.hot.usage import SYNTHETIC, Call

BUILT_IN = prices.built_in()


def call(model: str = "claude-opus-5-5", **more: Any) -> Call:
    return Call("m", model, time=more.pop("time", "2026-11-23T14:00:00Z"), **more)


@pytest.mark.parametrize("transcript", RECORDED, ids=lambda path: path.parent.name)
def test_the_sum_is_the_client_s_to_the_cent(transcript: Path) -> None:
    client = read(transcript).client
    assert client is not None
    costs = [BUILT_IN.price(one) for one in calls_in(transcript).values()]
    if client["hasUnknownModelCost"]:
        assert costs == [None]
        return
    exact = Decimal(sum(cost or 0 for cost in costs)) / prices.USD
    assert None not in costs and abs(exact - Decimal(str(client["totalCostUSD"]))) < Decimal("1e-9")


@pytest.mark.parametrize(
    ("model", "usd_a_million"),
    [
        ("claude-opus-5-5", (4, 20, 0.2, 5, 8)),
        ("claude-sonnet-5-5", (2, 10, 0.1, 2.5, 4)),
        ("claude-haiku-4-5", (1, 5, 0.1, 1.25, 2)),
    ],
)
def test_each_class_of_tokens_costs_what_the_client_says(model: str, usd_a_million: tuple[float, ...]) -> None:
    for name, usd in zip(prices.CLASSES, usd_a_million, strict=False):
        assert BUILT_IN.price(call(model, **{name: 1_000_000})) == round(usd * prices.USD), name
    assert BUILT_IN.price(call(model, web_search=1000)) == 10 * prices.USD


@given(st.lists(st.integers(0, 10**9), min_size=6, max_size=6), st.sampled_from(sorted(BUILT_IN.models)))
def test_a_price_is_the_exact_sum_rounded_once(numbers: list[int], model: str) -> None:
    one = call(model, **dict(zip(prices.CLASSES, numbers, strict=True)))
    rows = [row for row in BUILT_IN.models[model] if row[1] == "" and (not row[2] or one.prompt > row[2])]
    rates = max(rows, key=lambda row: row[2])[3]
    exact = sum(Decimal(rate) * number for rate, number in zip(rates, numbers, strict=True)) / 1000
    assert abs(Decimal(BUILT_IN.price(one) or 0) - exact) <= Decimal("0.5")


@pytest.mark.parametrize("model", ["claude-opus-5-5-20261101", "Claude-Opus-5-5", "claude-opus-5-5-latest",
                                   "claude-opus-5-5@20261101", "claude-opus-5-5[1m]"])  # fmt: skip
def test_a_date_or_an_alias_at_the_end_is_the_same_model(model: str) -> None:
    assert BUILT_IN.price(call(model, input=1000)) == 4_000_000


@pytest.mark.parametrize("model", ["", "claude-unknown-9", "claude-opus-5-55", "claude-opus", "claude-opus-5-5-2026",
                                   "claude-opus-5-5-preview", "gpt-5", "us.claude-opus-5-5-v1:0"])  # fmt: skip
def test_a_similar_name_is_another_model_and_has_no_price(model: str) -> None:
    assert BUILT_IN.price(call(model, input=1000)) is None and not BUILT_IN.known(call(model))


def test_a_mode_has_a_price_of_its_own_or_none() -> None:
    assert BUILT_IN.price(call(input=1000, mode="fast")) == 8_000_000
    assert BUILT_IN.price(call("claude-haiku-4-5", input=1000, mode="fast")) is None
    assert BUILT_IN.price(call(input=1000, mode="batch")) is None


def test_a_message_of_the_client_itself_costs_nothing() -> None:
    assert BUILT_IN.price(call(SYNTHETIC, mode="fast")) == 0


def test_a_long_prompt_costs_more_all_of_it() -> None:
    assert BUILT_IN.price(call("claude-haiku-5-5", input=100_000)) == 10_000_000
    assert BUILT_IN.price(call("claude-haiku-5-5", input=1, cache_read=100_000)) == 500 + 5_000_000


def test_a_price_counts_from_its_day_on() -> None:
    free = [None] * 4
    table = Prices({"m": [["", "", 0, [1000, 1, *free]], ["", "", 10, [9000, 1, *free]],
                          ["2026-11-20", "", 0, [2000, 1, *free]]]}, "v")  # fmt: skip
    for day, tokens, cost in [
        ("2026-11-19", 1, 1), ("2026-11-19", 20, 180), ("2026-11-20", 1, 2), ("2026-11-20", 20, 40),
        ("2027-01-01", 1, 2),
    ]:  # fmt: skip
        assert table.price(call("m", input=tokens, time=day + "T10:00:00Z")) == cost, (day, tokens)
    for nonsense in ("", "soon", "9", "\ud800" * 10):
        assert table.price(call("m", input=1, time=nonsense)) == 2, nonsense
    assert table.price(call("m", input=1, cache_read=1)) is None, "a class without a rate is not free"
    assert Prices({"m": [["2026-11-20", "", 0, [1] * 6]]}, "v").price(call("m", time="2026-01-01T")) is None


def test_the_table_in_force_is_the_compiled_one_as_long_as_it_is_whole(scratch: Home) -> None:
    assert Prices.load(scratch).version == f"built in {prices.BUILT_IN_DATE}"
    path = Path(scratch.state + prices.FILE)
    table = {"format": prices.FORMAT, "version": "own table", "models": {"m": [["", "", 0, [7000] * 6]]}}
    assert kept.write(str(path), table)
    loaded = Prices.load(scratch)
    assert (loaded.version, loaded.source, loaded.price(call("m", input=1))) == ("own table", str(path), 7)
    whole = path.read_bytes()
    for damaged in (whole.replace(b"7000", b"7001", 1), whole[:-9], b"", b"{}"):
        path.write_bytes(damaged)
        assert Prices.load(scratch).source == "built in", damaged
    for other in ({**table, "format": 99}, {**table, "models": {}}, [1], None):
        assert kept.write(str(path), other) and Prices.load(scratch).source == "built in", other
