"""Reads the user's own prices, `context/prices.toml`: what they say there counts before any published price.

    [[price]]
    model = "claude-opus-5-5"      # a name as it stands in a transcript, without the date at its end
    in = 4                         # USD a million tokens
    out = 20
    cache_read = 0.2
    cache_write_5m = 5
    cache_write_1h = 8
    web_search = 0.01              # USD each; optional, as are:
    mode = "fast"                  # "" (the usual), fast or batch
    from = 2026-11-01              # the day it begins to count
    above = 100000                 # only for prompts of more tokens

A class without a price has none: a call that uses it is of unknown cost.
"""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from levaithan.errors import LevaithanError
from levaithan.hot.paths import regular

if TYPE_CHECKING:
    from levaithan.hot.prices import Row

FILE = "/prices.toml"
MODES = ("", "fast", "batch")
_RATES = {"in": 6, "out": 6, "cache_read": 6, "cache_write_5m": 6, "cache_write_1h": 6, "web_search": 12}
"""A key, and the power of ten that makes pico-USD (1e-12 USD) a unit of it."""
_MOST_USD = 1_000_000
_MOST_BYTES = 1 << 20


class PricesUnreadable(LevaithanError):  # noqa: N818 - named for people, as all errors are
    """{path}:{line}: {reason}."""

    code = "prices_unreadable"
    fix = "correct that line, then `levaithan cost prices --update`; until then the last good table is in force"


class _Wrong(Exception):  # noqa: N818 - says what, of PricesUnreadable
    """What is wrong with one entry."""


def read(path: str) -> bytes | None:
    """The content of the file, None when there is none. Raises PricesUnreadable."""
    try:
        with open(path, "rb", opener=regular) as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PricesUnreadable(path=path, line=1, reason=f"it cannot be read ({error.strerror})") from None
    if len(data) > _MOST_BYTES:
        raise PricesUnreadable(path=path, line=1, reason="it has more than a megabyte")
    return data


def rows(path: str, data: bytes) -> dict[str, list[Row]]:
    """The rows by model (see hot.prices.Prices) in `data`, the content of `path`. Raises PricesUnreadable."""
    try:
        text = data.decode("utf-8")
        given = tomllib.loads(text, parse_float=Decimal)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise PricesUnreadable(path=path, line=line, reason="it is not UTF-8") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and what numbers and nesting out of bounds raise
        words, _, at = str(error).partition(" (at ")
        line = int(at.split()[1].rstrip(",")) if at.startswith("line ") else text.rstrip().count("\n") + 1
        raise PricesUnreadable(path=path, line=line, reason=words) from None
    heads = [number for number, line in enumerate(text.splitlines(), 1) if line.strip().startswith("[[price]]")]
    entries = given.pop("price", [])
    if given or not isinstance(entries, list):
        stray = next(iter(given), "price")
        line = next((n for n, one in enumerate(text.splitlines(), 1) if stray in one), 1)
        raise PricesUnreadable(path=path, line=line, reason=f"{stray!r} is none of its keys: prices stand in [[price]]")
    made: dict[str, list[Row]] = {}
    for number, entry in enumerate(entries):
        try:
            made.setdefault(_name(entry), []).append(_row(entry))
        except _Wrong as wrong:
            line = heads[number] if number < len(heads) else 1
            raise PricesUnreadable(path=path, line=line, reason=str(wrong)) from None
    return made


def _name(entry: Any) -> str:
    name = entry.get("model") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name.strip():
        raise _Wrong('model is missing: write model = "claude-..."')
    return name.strip().lower()


def _row(entry: dict[str, Any]) -> Row:
    unknown = set(entry) - set(_RATES) - {"model", "mode", "from", "above"}
    if unknown:
        raise _Wrong(f"{min(unknown)!r} is no key of a price: there are model, {', '.join(_RATES)}, mode, from, above")
    mode, above, begins = entry.get("mode", ""), entry.get("above", 0), entry.get("from", "")
    if mode not in MODES:
        raise _Wrong(f"mode {mode!r} is none: choose fast or batch, or leave it out")
    if type(above) is not int or above < 0:
        raise _Wrong("above is a number of tokens")
    if begins != "" and type(begins) is not date:
        raise _Wrong("from is a day, written without quotes: from = 2026-11-01")
    if "in" not in entry or "out" not in entry:
        raise _Wrong("in and out are needed, in USD a million tokens")
    return [str(begins), mode, above, [_rate(entry, name, power) for name, power in _RATES.items()]]


def _rate(entry: dict[str, Any], name: str, power: int) -> int | None:
    if name not in entry:
        return None
    value = entry[name]
    if type(value) not in (int, Decimal) or not Decimal(value).is_finite() or not 0 <= value <= _MOST_USD:
        raise _Wrong(f"{name} is no price in USD: a number from 0 to {_MOST_USD}")
    exact = Decimal(value).scaleb(power)
    if exact != int(exact):
        raise _Wrong(f"{name} has more than {power} decimals")
    return int(exact)
