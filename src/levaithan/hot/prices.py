"""What a call to a model costs, by a table that says where it is from; an unknown model has no price, none is guessed.

Sums are exact: prices are whole numbers, in nano-USD (1e-9 USD). The table in force is compiled by `cost/table.py` into
`H/state/prices.kept`; without it the one that is built in here counts. Standard library only, and lean: budgets price
calls while Claude Code waits.
"""

from __future__ import annotations

from levaithan.hot import kept
from levaithan.hot.usage import SYNTHETIC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.paths import Home
    from levaithan.hot.usage import Call

    Row = list[Any]

FORMAT = 1
FILE = "/prices.kept"
CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_search")
"""What is priced, in the order of a row's rates."""
USD = 10**9
"""Nano-USD in a USD."""
_NANO = 1000
_LAST_DAY = "9999-99-99"

BUILT_IN_DATE = "2026-11-20"
BUILT_IN_SOURCE = "genai-prices 0.2.3, which cites the published prices of Anthropic"
_BUILT_IN = """
claude-fable-5     10 50 1 12.5 20
claude-fable-5-1   10 50 0.25 12.5 20
claude-fable-5-2   8 40 0.2 10 16
claude-fable-5-2   16 80 0.4 20 32 fast
claude-haiku-4-5   1 5 0.1 1.25 2
claude-haiku-5-5   0.1 0.5 0.01 0.125 0.2
claude-haiku-5-5   0.5 2.5 0.05 0.625 1 >100000
claude-mythos-5-2  8 40 0.2 10 16
claude-mythos-5-2  16 80 0.4 20 32 fast
claude-opus-4      15 75 1.5 18.75 30
claude-opus-4-1    15 75 1.5 18.75 30
claude-opus-4-5    5 25 0.5 6.25 10
claude-opus-4-6    5 25 0.5 6.25 10
claude-opus-4-7    5 25 0.5 6.25 10
claude-opus-4-8    5 25 0.5 6.25 10
claude-opus-4-8    10 50 1 12.5 20 fast
claude-opus-5      5 25 0.5 6.25 10
claude-opus-5      10 50 1 12.5 20 fast
claude-opus-5-5    4 20 0.2 5 8
claude-opus-5-5    8 40 0.4 10 16 fast
claude-sonnet-4    3 15 0.3 3.75 6
claude-sonnet-4-5  3 15 0.3 3.75 6
claude-sonnet-4-5  6 22.5 0.6 7.5 12 >200000
claude-sonnet-4-6  3 15 0.3 3.75 6
claude-sonnet-5    2 10 0.2 2.5 4
claude-sonnet-5-5  2 10 0.1 2.5 4
"""
"""Model; USD a million tokens in, out, cache read, 5 min write, 1 h write; then a mode, or prompts longer than."""
_WEB_SEARCH = 10**10
"""10 USD a thousand searches, in pico-USD each."""


class Prices:
    """A table of prices. version: what it was made from; models: rows by model; source: "built in" or the file's path.

    A row is [from, mode, above, rates]: the day (ISO) it begins to count, "" for ever; the mode it is for; for prompts
    of more tokens than `above`, 0 for any; rates by CLASSES in pico-USD (1e-12 USD) each, None where there is none.
    """

    __slots__ = ("_chosen", "models", "source", "version")

    def __init__(self, models: dict[str, list[Row]], version: str, source: str = "") -> None:
        self.models = models
        self.version = version
        self.source = source
        self._chosen: dict[tuple[str, str, str], list[Row]] = {}

    @classmethod
    def load(cls, home: Home) -> Prices:
        """The table in force for `home`. Never raises: what is not whole is as good as none."""
        path = home.state + FILE
        table = kept.read(path)
        try:
            if table["format"] == FORMAT and table["models"]:
                return cls(table["models"], str(table["version"]), path)
        except (TypeError, KeyError):
            pass
        return built_in()

    def price(self, call: Call) -> int | None:
        """What `call` costs in nano-USD, rounded half up; None where no price of its model (or mode) is known."""
        if call.model == SYNTHETIC:
            return 0
        rates = self.rates(call, call.prompt)
        if rates is None:
            return None
        pico = 0
        for count, rate in zip(counts(call), rates, strict=True):
            if count:
                if rate is None:
                    return None
                pico += count * rate
        return (pico + _NANO // 2) // _NANO

    def rates(self, call: Call, prompt: int) -> list[int | None] | None:
        """Pico-USD for one of each of CLASSES, for calls of that model, mode and day with a prompt of so many tokens;
        None where no price is known."""
        chosen = None
        for row in self._rows(call.model, call.mode, call.time[:10]):
            if (not row[2] or prompt > row[2]) and (chosen is None or row[2] > chosen[2]):
                chosen = row
        return None if chosen is None else chosen[3]

    def known(self, call: Call) -> bool:
        """Whether there is a price for the call's model and mode."""
        return self.price(call) is not None

    def _rows(self, model: str, mode: str, day: str) -> list[Row]:
        """The rows of a model and mode that count on `day`: those that began last."""
        key = (model, mode, day)
        found = self._chosen.get(key)
        if found is None:
            if len(self._chosen) > 4096:
                self._chosen.clear()
            on = day if len(day) == 10 and day[:2] == "20" else _LAST_DAY
            rows = self.models.get(name_in(self.models, model), ())
            begun = [row for row in rows if row[1] == mode and row[0] <= on]
            last = max((row[0] for row in begun), default="")
            found = self._chosen[key] = [row for row in begun if row[0] == last]
        return found


def counts(call: Call) -> tuple[int, int, int, int, int, int]:
    """What of `call` is priced, in the order of CLASSES."""
    return call.input, call.output, call.cache_read, call.cache_write_5m, call.cache_write_1h, call.web_search


def name_in(models: dict[str, list[Row]], model: str) -> str:
    """The name that `model` has in the table: its own, or without the date or alias at its end; never a similar one."""
    name = model.lower().removesuffix("[1m]")
    if name in models:
        return name
    head, _, last = name.rpartition("@" if "@" in name else "-")
    return head if head in models and (last == "latest" or (len(last) == 8 and last.isdigit())) else name


def built_in() -> Prices:
    """The table that is built in, as of BUILT_IN_DATE from BUILT_IN_SOURCE."""
    models: dict[str, list[Row]] = {}
    for line in _BUILT_IN.strip().splitlines():
        name, *words = line.split()
        kind = words[5] if len(words) > 5 else ""
        above = int(kind[1:]) if kind.startswith(">") else 0
        rates: list[int | None] = [round(float(word) * 1_000_000) for word in words[:5]]
        models.setdefault(name, []).append(["", "" if above else kind, above, [*rates, _WEB_SEARCH]])
    return Prices(models, f"built in {BUILT_IN_DATE}", "built in")
