"""The table of prices: from genai-prices and the user's own, and what is wrong with a file keeps the last good one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from levaithan.cost import own_prices, table
from levaithan.errors import LevaithanError
from levaithan.hot import prices
from levaithan.hot.paths import Home
from levaithan.hot.prices import Prices
from levaithan.hot.usage import Call

GOOD = """
[[price]]
model = "claude-unknown-9"
in = 4
out = 20.5
cache_read = 0.0625
"""


def own(home: Home, text: str | bytes) -> Path:
    path = Path(home.context, "prices.toml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def call(model: str, **more: Any) -> Call:
    return Call("m", model, time=more.pop("time", "2026-11-23T14:00:00Z"), **more)


def test_the_built_in_table_says_what_the_published_one_said_on_its_day() -> None:
    published, left_out = table.published()
    assert left_out == []
    for name, rows in prices.built_in().models.items():
        for _begins, mode, above, rates in rows:
            known = [row for row in published[name] if row[1] == mode and row[0] <= prices.BUILT_IN_DATE]
            last = max(row[0] for row in known)
            assert [row[3] for row in known if row[0] == last and row[2] == above] == [rates], (name, mode, above)


@pytest.mark.parametrize("usage", [
    {"input_tokens": 1_000_000}, {"input_tokens": 10, "output_tokens": 1_000_000},
    {"input_tokens": 1_000_000, "cache_read_tokens": 1_000_000}, {"input_tokens": 300_000, "output_tokens": 7},
    {"input_tokens": 90_000, "cache_write_tokens": 90_000, "cache_write_5m_tokens": 90_000},
    {"input_tokens": 90_000, "cache_write_tokens": 90_000, "cache_write_1h_tokens": 90_000, "cache_write_5m_tokens": 0},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-haiku-5-5", "claude-sonnet-4-5", "claude-opus-4-6"])
def test_a_compiled_price_is_what_the_package_computes(model: str, usage: dict[str, int]) -> None:
    from datetime import UTC, datetime

    from genai_prices import Usage, calc_price

    short, long = usage.get("cache_write_5m_tokens", 0), usage.get("cache_write_1h_tokens", 0)
    cached = usage.get("cache_read_tokens", 0)
    ours = call(
        model, input=usage["input_tokens"] - cached - short - long, output=usage.get("output_tokens", 0),
        cache_read=cached, cache_write_5m=short, cache_write_1h=long,
    )  # fmt: skip
    day = datetime(2026, 11, 23, 14, tzinfo=UTC)
    theirs = calc_price(Usage(**usage), model, provider_id="anthropic", genai_request_timestamp=day).total_price
    assert Prices(table.published()[0], "v").price(ours) == int(theirs * prices.USD)


def test_own_prices_count_before_published_ones(home: Home) -> None:
    own(home, GOOD)
    made = table.update(home)
    assert made.price(call("claude-unknown-9", input=1, output=1, cache_read=16)) == 4000 + 20500 + 1000
    assert made.price(call("claude-unknown-9", cache_write_5m=1)) is None, "no price was given for it"
    assert made.price(call("claude-opus-5-5", input=1)) == 4000
    assert "own prices.toml sha256:" in made.version and "genai-prices 0." in made.version
    assert Prices.load(home).version == made.version
    rows = {row["model"]: row for row in table.listed(home, made)}
    assert (rows["claude-unknown-9"]["origin"], rows["claude-opus-5-5"]["origin"]) == ("prices.toml", "genai-prices")
    assert (rows["claude-unknown-9"]["cache_read"], rows["claude-opus-5-5"]["web_search"]) == (0.0625, 0.01)


def test_an_own_price_from_a_day_on_leaves_what_was_before(home: Home) -> None:
    own(home, '[[price]]\nmodel = "claude-opus-5-5"\nin = 1\nout = 1\nfrom = 2026-11-20\n')
    made = table.update(home)
    assert made.price(call("claude-opus-5-5", input=1, time="2026-11-19T00:00:00Z")) == 4000
    assert made.price(call("claude-opus-5-5", input=1)) == 1000
    assert made.price(call("claude-opus-5-5", input=1, mode="fast")) == 8000


def test_own_prices_of_a_mode_and_of_long_prompts(home: Home) -> None:
    entry = '[[price]]\nmodel = "m"\nin = {}\nout = 1\n{}\n'
    own(home, entry.format(1, "") + entry.format(2, "above = 10") + entry.format(3, 'mode = "fast"'))
    made = table.update(home)
    assert [made.price(call("m", input=10)), made.price(call("m", input=11))] == [10_000, 22_000]
    assert made.price(call("m", input=1, mode="fast")) == 3000


BAD: list[tuple[str | bytes, int, str]] = [
    ("[[price]]\nmodel = ", 2, "Invalid value"),
    (b"# \xff", 1, "UTF-8"),
    ("\n[prices]\n", 2, "'prices' is none of its keys"),
    ("price = 3\n", 1, "none of its keys"),
    ("[[price]]\nin = 1\nout = 1", 1, "model is missing"),
    ('[[price]]\nmodel = "a"\nin = 1\nout = 1\n\n[[price]]\nmodel = "b"\nin = 1', 6, "in and out are needed"),
    ('[[price]]\nmodel = "a"\nin = "4"\nout = 1', 1, "in is no price"),
    ('[[price]]\nmodel = "a"\nin = -1\nout = 1', 1, "in is no price"),
    ('[[price]]\nmodel = "a"\nin = true\nout = 1', 1, "in is no price"),
    ('[[price]]\nmodel = "a"\nin = nan\nout = 1', 1, "in is no price"),
    ('[[price]]\nmodel = "a"\nin = 1e99\nout = 1', 1, "in is no price"),
    ('[[price]]\nmodel = "a"\nin = 0.0000001\nout = 1', 1, "more than 6 decimals"),
    ('[[price]]\nmodel = "a"\nin = 1\nout = 1\nmode = "slow"', 1, "mode 'slow' is none"),
    ('[[price]]\nmodel = "a"\nin = 1\nout = 1\nabove = -5', 1, "above is a number"),
    ('[[price]]\nmodel = "a"\nin = 1\nout = 1\nfrom = "2026"', 1, "from is a day"),
    ('[[price]]\nmodel = "a"\nin = 1\nout = 1\ncache = 5', 1, "'cache' is no key"),
]


@pytest.mark.parametrize(("text", "line", "why"), BAD, ids=range(len(BAD)))
def test_a_bad_file_is_named_by_line_and_the_last_good_table_stays(
    home: Home, text: str | bytes, line: int, why: str
) -> None:
    own(home, GOOD)
    good = table.update(home)
    path = own(home, text)
    with pytest.raises(own_prices.PricesUnreadable) as raised:
        table.update(home)
    assert raised.value.message.startswith(f"{path}:{line}: ") and why in raised.value.message
    assert "cost prices --update" in raised.value.fix
    made, problem = table.in_force(home)
    assert made.version == good.version and problem is not None
    assert made.price(call("claude-unknown-9", input=1)) == 4000


def test_a_pipe_in_the_file_s_place_is_refused_and_not_waited_for(home: Home) -> None:
    import os

    os.mkfifo(Path(home.context, "prices.toml"))
    with pytest.raises(own_prices.PricesUnreadable):
        table.update(home)


def test_the_table_is_made_again_when_what_it_is_made_of_changed(home: Home) -> None:
    first, problem = table.in_force(home)
    assert problem is None and first.price(call("claude-unknown-9", input=1)) is None
    file = Path(home.state, "prices.kept")
    before = file.stat().st_ino, file.stat().st_mtime_ns
    assert table.in_force(home)[0].version == first.version
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == before, "nothing changed: nothing is made"
    path = own(home, GOOD)
    assert table.in_force(home)[0].price(call("claude-unknown-9", input=1)) == 4000
    path.unlink()
    assert table.in_force(home)[0].version == first.version


def test_without_the_package_the_last_table_counts_and_it_is_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "PACKAGE", "no-such-package-of-prices")
    made, problem = table.in_force(home)
    assert made.source == "built in" and isinstance(problem, LevaithanError) and "not installed" in problem.message


def test_what_cannot_be_said_in_a_row_leaves_the_model_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices of certain hours, or finer than a millionth: unknown, never about right."""
    from datetime import time
    from decimal import Decimal

    from genai_prices import data_snapshot, types

    night = types.TimeOfDateConstraint(start_time=time(1), end_time=time(2))
    dear = types.ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(1))
    models = [
        types.ModelInfo(id=name, match=types.ClauseEquals(equals=name), prices=price)
        for name, price in (
            ("good", dear),
            ("hours", [types.ConditionalPrice(constraint=night, prices=dear)]),
            ("fine", types.ModelPrice(input_mtok=Decimal("0.00000001"))),
        )
    ]
    provider = types.Provider(id="anthropic", name="A", api_pattern="x", models=models)
    monkeypatch.setattr(
        data_snapshot, "_custom_snapshot", data_snapshot.DataSnapshot([provider], from_auto_update=False)
    )
    made, left_out = table.published()
    assert (set(made), left_out) == ({"good"}, ["hours", "fine"])
