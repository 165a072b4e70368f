"""Compares our sums with the client's own, the `cost-state` line of a session: session by session and model by model.

A drift has a reason, and the row says which: another price, other tokens, a call that no transcript tells of, or a
model whose price is not known (the client then takes some price; here it has none).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.hot.prices import CLASSES, USD, counts
from levaithan.hot.usage import SYNTHETIC

if TYPE_CHECKING:
    from levaithan.cost.calls import Calls
    from levaithan.hot.prices import Prices
    from levaithan.hot.usage import Call

MOST_DRIFT = 0.05
"""Of the client's sum: above it a check fails."""
_NOISE_NANO = 1000
"""A millionth of a USD: the client adds floats."""
_CLIENT = {
    "input": "inputTokens", "output": "outputTokens", "cache_read": "cacheReadInputTokens",
    "cache_write_5m": "cacheCreationEphemeral5mInputTokens", "cache_write_1h": "cacheCreationEphemeral1hInputTokens",
    "web_search": "webSearchRequests",
}  # fmt: skip
DRIFT = "drift to the client"
OK, UNKNOWN, ABSENT, TOKENS, PRICE = "ok", "unknown price", "not in the transcript", "other tokens", "other price"


def check(calls: Calls, prices: Prices, sessions: set[str] | None = None) -> list[dict[str, Any]]:
    """A row a session and model: status, both sums in USD, their difference, and in percent of the client's.

    Of `sessions` (None = all) those that have a sum of the client's, and of their calls those that were before it.
    drift = ours - theirs.
    """
    rows = []
    for name, told, until in calls.clients():
        if sessions is not None and name not in sessions:
            continue
        ours: dict[str, list[Call]] = {}
        for known in calls.all(session=name):
            if known.call.model != SYNTHETIC and (not until or known.call.time < until):
                ours.setdefault(known.call.model, []).append(known.call)
        theirs = {str(key): value for key, value in told["modelUsage"].items() if isinstance(value, dict)}
        for model in sorted({*ours, *theirs}):
            rows.append({"session": name, **_compared(model, ours.get(model, []), theirs.get(model, {}), prices)})
    return rows


def _compared(model: str, ours: list[Call], theirs: dict[str, Any], prices: Prices) -> dict[str, Any]:
    costs = [prices.price(call) for call in ours]
    known = None not in costs
    mine = sum(cost or 0 for cost in costs)
    client = _nano(theirs.get("costUSD"))
    drift = mine - client
    tokens = dict(zip(CLASSES, map(sum, zip(*map(counts, ours), strict=True)), strict=True)) if ours else {}
    same = all(tokens.get(name, 0) == theirs.get(key, 0) for name, key in _CLIENT.items())
    status = OK if abs(drift) <= _NOISE_NANO else ABSENT if not ours else PRICE if same else TOKENS
    return {
        "model": model, "status": status if known else UNKNOWN, "usd": mine / USD if known else None,
        "client_usd": client / USD, "drift_usd": drift / USD if known else None,
        "drift_percent": 100 * drift / client if known and client else 0.0 if drift == 0 else None,
        "same_tokens": same,
    }  # fmt: skip


def _nano(value: Any) -> int:
    """A sum of the client's in nano-USD; what is no number is nothing."""
    sound = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e9
    return round(value * USD) if sound else 0


def total(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Our sum and the client's of the rows whose price is known, in USD."""
    known = [row for row in rows if row["status"] != UNKNOWN]
    return sum(row["usd"] for row in known), sum(row["client_usd"] for row in known)


def too_far(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that fail a check: a drift above MOST_DRIFT, or a price that is not known."""
    return [
        row
        for row in rows
        if row["status"] == UNKNOWN or abs(row["drift_usd"]) > max(MOST_DRIFT * row["client_usd"], _NOISE_NANO / USD)
    ]


def drift_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a report says of `rows` of a check that differ: one row of kind "drift", or none when nothing does.

    usd: how far our sums are above (or below) the client's, over whole sessions; why: the reasons.
    """
    differ = [row for row in rows if row["status"] not in (OK, UNKNOWN)]
    if not differ:
        return []
    drift = sum(row["drift_usd"] for row in differ)
    return [{"kind": DRIFT, "calls": None, "usd": drift, "why": ", ".join(sorted({row["status"] for row in differ}))}]
