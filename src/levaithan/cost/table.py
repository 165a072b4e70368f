"""Compiles the table of prices in force: the published ones of genai-prices, and the user's own before them.

The compiled table says what it was made from, and is what `hot/prices.py` reads. A file of own prices that cannot be
used changes nothing: the last good table stays.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any

from levaithan.cost import own_prices
from levaithan.errors import LevaithanError
from levaithan.hot import kept, prices
from levaithan.hot.bounded import sha256_hex
from levaithan.hot.prices import Prices

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.hot.prices import Row

PACKAGE = "genai-prices"
OWN = "prices.toml"
_ATTRIBUTES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok")
_WEB_SEARCH = "web_searches_kcount"
_MODES = {"speed": "fast", "processing": "batch"}
_DATED = re.compile(r"\^([a-z0-9.-]+?)(?:-|\[-@\]|@)(?:\\d\{8\}|\\d\{4\}-\\d\{2\}-\\d\{2\})\$")


class TableMissing(LevaithanError):  # noqa: N818 - named for people, as all errors are
    """The published prices cannot be read: {reason}."""

    code = "prices_missing"
    fix = "run `levaithan doctor`, or install the package genai-prices again; until then the table built in counts"


def in_force(home: Home) -> tuple[Prices, LevaithanError | None]:
    """The table in force, compiled anew when what it is made from changed; and what kept that from being done."""
    table = kept.read(home.state + prices.FILE)
    try:
        data = own_prices.read(home.context + own_prices.FILE)
        if isinstance(table, dict) and table.get("made_from") == _made_from(data):
            return Prices.load(home), None
        return update(home), None
    except LevaithanError as problem:
        return Prices.load(home), problem


def update(home: Home) -> Prices:
    """Compile the table of `home` and keep it. Raises PricesUnreadable and TableMissing: then nothing is changed."""
    path = home.context + own_prices.FILE
    data = own_prices.read(path)
    own = own_prices.rows(path, data) if data is not None else {}
    made_from = _made_from(data)
    models, left_out = published()
    for name, rows in own.items():
        models[name] = _overridden(models.get(name, []), rows)
    version = f"{PACKAGE} {made_from['package']}"
    if own:
        version += f" with own {OWN} sha256:{made_from['own'][:12]}"
    table = {
        "format": prices.FORMAT, "version": version, "made_from": made_from, "models": models, "own": sorted(own),
        "left_out": left_out, "compiled_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    kept.write(home.state + prices.FILE, table)
    return Prices(models, version, home.state + prices.FILE)


def listed(home: Home, table: Prices) -> list[dict[str, Any]]:
    """The table as rows for people: USD a million tokens, and where each is from."""
    compiled = kept.read(home.state + prices.FILE)
    own = set(compiled.get("own", ())) if isinstance(compiled, dict) else set()
    found = []
    for name, rows in sorted(table.models.items()):
        origin = table.source if table.source == "built in" else OWN if name in own else PACKAGE
        for begins, mode, above, rates in rows:
            usd = [None if rate is None else rate / 1e6 for rate in rates[:5]]
            found.append(
                {"model": name, "mode": mode or None, "from": begins or None, "above": above or None}
                | dict(zip(prices.CLASSES, usd, strict=False))
                | {"web_search": None if rates[5] is None else rates[5] / 1e12, "origin": origin}
            )
    return found


def _made_from(own: bytes | None) -> dict[str, str]:
    try:
        version = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        raise TableMissing(reason=f"the package {PACKAGE} is not installed") from None
    return {"package": version, "own": "" if own is None else sha256_hex(own)}


def _overridden(published_rows: list[Row], own: list[Row]) -> list[Row]:
    """Own rows, and the published ones of the time before them and of other modes."""
    first: dict[str, str] = {}
    for row in own:
        first[row[1]] = min(first.get(row[1], row[0]), row[0])
    return [row for row in published_rows if row[1] not in first or row[0] < first[row[1]]] + own


def published() -> tuple[dict[str, list[Row]], list[str]]:
    """Anthropic's prices in genai-prices by model, and the models left out because of what cannot be said in a row."""
    try:
        from genai_prices import data_snapshot  # noqa: PLC0415 - 200 ms, only when the table is made

        providers = data_snapshot.get_snapshot().providers
        models = next(one for one in providers if one.id == "anthropic").models
    except Exception as error:  # another package's inside: whatever it is, it is said
        raise TableMissing(reason=str(error) or type(error).__name__) from None
    made: dict[str, list[Row]] = {}
    left_out: list[str] = []
    for model in models:
        try:
            rows = _rows(model)
        except (AttributeError, TypeError, ValueError, ArithmeticError):
            left_out.append(str(model.id))
            continue
        for name in sorted({str(model.id), *_names(model.match)}):
            made.setdefault(name, rows)
    return made, left_out


def _names(clause: Any) -> list[str]:
    """The names that a clause of genai-prices stands for; a date at the end of a name is no part of it."""
    if hasattr(clause, "or_"):
        return [name for one in clause.or_ for name in _names(one)]
    if hasattr(clause, "equals"):
        return [clause.equals.lower()]
    if hasattr(clause, "starts_with"):
        return [clause.starts_with.lower().rstrip("@-")]
    found = _DATED.fullmatch(getattr(clause, "regex", ""))
    return [found[1]] if found else []


def _rows(model: Any) -> list[Row]:
    """The rows of one model. Raises ValueError for a price that holds at certain hours only."""
    listed_prices = model.prices if isinstance(model.prices, list) else [model]
    made: list[Row] = []
    for one in listed_prices:
        made += _tiers(one.prices, _day(getattr(one, "constraint", None)), "")
    standard = listed_prices[-1].prices
    for variant in getattr(model, "price_variants", None) or ():
        mode = next(iter(variant.when.values()), "") if len(variant.when) == 1 else ""
        if mode in _MODES.values():
            made += _tiers(variant.prices, _day(variant.constraint), mode, standard)
    return made


def _day(constraint: Any) -> str:
    if constraint is None:
        return ""
    if not hasattr(constraint, "start_date"):
        raise ValueError("a price of certain hours")
    return str(constraint.start_date)


def _tiers(price: Any, begins: str, mode: str, standard: Any = None) -> list[Row]:
    """A row for any prompt, and one for each length from which on prompts cost more."""
    values = [_value(price, standard, name) for name in (*_ATTRIBUTES, _WEB_SEARCH)]
    starts = sorted({tier.start for value in values for tier in getattr(value, "tiers", ())})
    return [
        [begins, mode, above, [_rate(value, above, at) for at, value in enumerate(values)]] for above in (0, *starts)
    ]


def _value(price: Any, standard: Any, name: str) -> Any:
    found = getattr(price, name, None)
    return getattr(standard, name, None) if found is None else found


def _rate(value: Any, above: int, at: int) -> int | None:
    """Pico-USD for one, of a price a million tokens or a thousand searches. Raises ValueError for no whole number."""
    if value is None:
        return None
    if hasattr(value, "tiers"):
        begun = [tier for tier in value.tiers if tier.start <= above and above]
        value = max(begun, key=lambda tier: tier.start).price if begun else value.base
    exact = value * (10**9 if at == len(_ATTRIBUTES) else 10**6)
    if exact != int(exact) or exact < 0:
        raise ValueError(f"{value} is no price")
    return int(exact)
