"""What was spent, by day, agent, model, project or session: priced call by call with the table in force.

What cannot be priced is in rows of its own with its tokens and no USD, never in a sum as nothing.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from levaithan.hot.prices import USD
from levaithan.hot.usage import SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from levaithan.cost.calls import Known
    from levaithan.hot.prices import Prices

BY = ("day", "agent", "model", "project", "session")
COUNTS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_search")
UNKNOWN = "unknown price"
NOWHERE = "(unknown)"


def day_of(known: Known) -> str:
    """The day of a call in local time, as `--since today` means it."""
    if known.at_us is None:
        return NOWHERE
    return date.fromtimestamp(known.at_us / 1_000_000).isoformat()


_KEYS: dict[str, Callable[[Known], tuple[str, ...]]] = {
    "day": lambda known: (day_of(known),),
    "agent": lambda known: (
        (known.call.agent_id, known.agent_type or "", known.call.session_id)
        if known.call.agent_id
        else ("main", "", "")
    ),
    "model": lambda known: (model_of(known),),
    "project": lambda known: (known.project or NOWHERE,),
    "session": lambda known: (known.call.session_id, known.project or NOWHERE),
}
FIELDS = {
    "day": ("day",), "agent": ("agent", "agent_type", "session"), "model": ("model",), "project": ("project",),
    "session": ("session", "project"),
}  # fmt: skip


def model_of(known: Known) -> str:
    """The model of a call, with the mode that changes its price."""
    return f"{known.call.model} ({known.call.mode})" if known.call.mode else known.call.model or NOWHERE


def usd(nano: int | None) -> float | None:
    """Nano-USD as USD."""
    return None if nano is None else nano / USD


def report(calls: Iterable[Known], prices: Prices, by: str) -> list[dict[str, Any]]:
    """Rows by `by` (one of BY): its fields, kind ("usage" or UNKNOWN), calls, tokens by class, usd, nano_usd.

    By day and name; then what has no known price, a row a model. nano_usd is exact: 1e-9 USD.
    """
    sums: dict[tuple[str, ...], dict[str, Any]] = {}
    for known in calls:
        if known.call.model == SYNTHETIC:
            continue
        cost = prices.price(known.call)
        where = _KEYS[by](known)
        unknown = "" if cost is not None else model_of(known)
        row = sums.get((unknown, *where))
        if row is None:
            row = dict(zip(FIELDS[by], (part or None for part in where), strict=True))
            row |= {"kind": UNKNOWN if unknown else "usage", "calls": 0, **dict.fromkeys(COUNTS, 0), "usd": None}
            row |= {"nano_usd": None if unknown else 0} | ({"model": unknown} if unknown else {})
            sums[unknown, *where] = row
        row["calls"] += 1
        for name in COUNTS:
            row[name] += getattr(known.call, name)
        if cost is not None:
            row["nano_usd"] += cost
    for row in sums.values():
        row["usd"] = usd(row["nano_usd"])
    return [sums[key] for key in sorted(sums)]


def by_day(calls: Iterable[Known], prices: Prices) -> dict[str, int]:
    """Nano-USD by local day of what has a known price and time."""
    days: dict[str, int] = {}
    for known in calls:
        cost = prices.price(known.call)
        if cost is not None and known.at_us is not None and known.call.model != SYNTHETIC:
            day = day_of(known)
            days[day] = days.get(day, 0) + cost
    return days
