"""Budgets over all machines: what the others spent and reserved counts as spent here. Standard library only; loaded
where machines share and there are limits.

A machine's own sums stay the truth about that machine; each tells its own. Without an answer a limit is this machine's
share of it. Sessions, agents and tasks are of one machine, so only projects and periods are shared.
"""

from __future__ import annotations

import contextlib

from levaithan.hot import budgets
from levaithan.hot.shared import SharedError, share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.budgets import Limit
    from levaithan.hot.event import Event
    from levaithan.hot.spend import Spend
    from levaithan.hot.workflow import Context

_SHARED = ("project", *budgets.PERIODS)


def ask(event: Event, context: Context, in_force: list[Limit]) -> list[Limit]:
    """The limits that hold for one more call. Where the others were asked it is reserved there, and what they spent is
    in `spend.others`; else each limit that is theirs too is this machine's share of it. Raises as budgets.reserve."""
    shared, spend = context.shared, budgets.opened(context)
    spend.others = {}
    if shared is None or not any(limit.scope in _SHARED for limit in in_force):
        return in_force
    buckets, nano = spend.one_step(lambda: _own(event, context, spend, in_force))
    if not buckets:
        return in_force
    try:
        spend.others = shared.reserve(budgets.holder_of(event), buckets, nano, budgets.LASTS_US)
    except SharedError:
        return [_part(limit, context) if limit.scope in _SHARED else limit for limit in in_force]
    context.memory["budget_shared"] = True
    return in_force


def release(event: Event, context: Context) -> None:
    """The call does not happen, or its turn is over: nothing is reserved for it any more."""
    if context.shared is not None and context.memory.get("budget_shared"):
        with contextlib.suppress(SharedError):  # it ends by itself
            context.shared.release(budgets.holder_of(event))


def _own(event: Event, context: Context, spend: Spend, in_force: list[Limit]) -> tuple[list[tuple[str, int]], int]:
    """([(bucket, what this machine spent in it)], nano-USD to reserve), with what the transcripts tell of by now."""
    budgets.settle(event, spend)
    periods = budgets.periods_at(context.now_us)
    found = {limit.bucket(event, None, periods) for limit in in_force if limit.scope in _SHARED}
    buckets = sorted((bucket, spend.spent(bucket)) for bucket in found if bucket)
    return buckets, budgets.estimate(event, spend, context)


def _part(limit: Limit, context: Context) -> Limit:
    """This machine's share of `limit`."""
    part = budgets.Limit.__new__(budgets.Limit)
    for name in budgets.Limit.__slots__:
        setattr(part, name, getattr(limit, name))
    part.nano = share(context, limit.nano)
    part.usd = part.nano / budgets.USD
    return part
