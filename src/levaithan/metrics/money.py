"""What models cost, by model and project: the record of calls (cost/), brought up to date and summed.

The sums are made by SQLite in groups that cost the same a token (model, mode, day, length of the prompt), so that a
million calls take a second and not a minute. A total never falls: a table of prices that changes must not look to
Prometheus like a counter that began anew, or all that was ever spent would seem to be spent at once.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.cost import calls as record
from levaithan.cost import scan
from levaithan.errors import LevaithanError
from levaithan.hot import usage
from levaithan.hot.prices import USD, Prices
from levaithan.hot.usage import SYNTHETIC, Call
from levaithan.metrics import names
from levaithan.stores import registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.cost.calls import Calls
    from levaithan.hot.paths import Home
    from levaithan.metrics.labels import Labels
    from levaithan.metrics.tally import Tally

LOOK_S = 30.0
ASK_S = 300.0
"""How often the ledger is asked which sessions there are; the client's folder is looked at each time."""
_DAY_NS = 86_400 * 10**9
LIMIT_S = 600.0

Sum = tuple[str, str | None, int, tuple[int, ...]]
"""model, project's folder, nano-USD (what has no price counts none), tokens by names.TOKENS"""


class Money:
    """The sums of one home. transcripts: the client's `projects` folder, "" for none."""

    def __init__(self, home: Home, settings: Any, transcripts: str) -> None:
        self._home = home
        self._settings = settings
        self._transcripts = transcripts
        self._sources = scan.Sources()
        self._asked_s = -ASK_S
        self._told: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self._seen: dict[str, tuple[tuple[int, int], ...]] = {}
        self._stamp: object = None

    def look(self) -> list[Sum] | None:
        """The sums when something changed since the last look, else None. Raises CostFileProblem, StoreError."""
        problem = self._ask_ledger()
        if self._transcripts:
            scan.of_folder(self._transcripts, self._sources)
        path = Path(self._home.state, record.FILE)
        fresh = self._fresh()
        if not fresh.transcripts and not path.exists():
            return None
        with record.opened(self._home) as calls:
            if fresh.transcripts or fresh.projects:
                scan.scan(calls, fresh)
            prices = Prices.load(self._home)
            stamp = (path.stat().st_mtime_ns, prices.version)
            sums = sums_of(calls, prices) if stamp != self._stamp else None
        self._stamp = stamp
        if problem is not None:
            raise problem
        return sums

    def _ask_ledger(self) -> LevaithanError | None:
        """Now and then: what the ledger knows of sessions. Why it did not say."""
        now = time.monotonic()
        if now - self._asked_s < ASK_S:
            return None
        self._asked_s = now
        try:
            ledger = registry.open_ledger(self._settings, self._home)
            try:
                if ledger.current():
                    self._sources = scan.Sources()
                    scan.of_ledger(ledger, self._sources)
                    self._told = (self._sources.projects, self._sources.agents)
            finally:
                ledger.close()
        except LevaithanError as problem:
            return problem
        return None

    def _fresh(self) -> scan.Sources:
        """The transcripts that grew since the last look, and what the ledger has just said of projects and agents."""
        projects, agents, self._told = *self._told, ({}, {})
        grown = {}
        for session, path in self._sources.transcripts.items():
            seen = _stamps(path)
            if self._seen.get(path) != seen:
                self._seen[path] = seen
                grown[session] = path
        return scan.Sources(grown, projects, agents)


def _stamps(transcript: str) -> tuple[tuple[int, int], ...]:
    """What tells that a transcript grew; those of its subagents count as long as it is of the last day."""
    own = _stamp(transcript)
    if time.time_ns() - own[0] > _DAY_NS:
        return (own,)
    return tuple(_stamp(path) for path in usage.files(transcript))


def _stamp(path: str) -> tuple[int, int]:
    try:
        seen = os.stat(path)  # noqa: PTH116 - thousands of them
    except OSError:
        return (0, 0)
    return seen.st_mtime_ns, seen.st_size


def sums_of(calls: Calls, prices: Prices) -> list[Sum]:
    """All calls of the record in groups, each priced. Raises sqlite3.Error."""
    edges = sorted({row[2] for rows in prices.models.values() for row in rows if row[2]})
    found: dict[tuple[str, str | None], list[Any]] = {}
    for model, mode, day, longest, project, *counts in calls.grouped(edges):
        if model == SYNTHETIC:
            continue
        one = found.setdefault((model, project), [0, [0] * len(names.TOKENS)])
        tokens = counts[:5]
        one[0] += _cost(prices, Call("", model, time=day, mode=mode), counts, longest) or 0
        one[1] = [before + more for before, more in zip(one[1], tokens, strict=True)]
    return [(model, project, nano, tuple(tokens)) for (model, project), (nano, tokens) in found.items()]


def _cost(prices: Prices, kind: Call, counts: list[int], longest: int) -> int | None:
    """Nano-USD of a group of calls, whose longest prompt chooses the price; None where it is not known."""
    rates = prices.rates(kind, longest)
    if rates is None:
        return None
    pico = 0
    for count, rate in zip(counts, rates, strict=True):
        if count and rate is None:
            return None
        pico += count * (rate or 0)
    return round(pico / 1000)


def show(tally: Tally, labels: Labels, sums: list[Sum]) -> bool:
    """Bring the counters up to the sums; whether to do so once more at the next look.

    A series that is new beside others begins at 0 and has its value the next time: Prometheus sees no increase in one
    that is born with it. The first sums of all are no increase, they are what was spent before.
    """
    usd: dict[tuple[str, ...], int] = {}
    tokens: dict[tuple[str, ...], int] = {}
    for model, project, nano, counts in sorted(sums, key=lambda one: -one[2]):
        pair = labels.pair(model, project)
        usd[pair] = usd.get(pair, 0) + nano
        for kind, count in zip(names.TOKENS, counts, strict=True):
            if count:
                key = (*pair, kind)
                tokens[key] = tokens.get(key, 0) + count
    spent = {labels_of: nano / USD for labels_of, nano in usd.items()}
    born = [_raise(tally, "levaithan_cost_usd_total", spent), _raise(tally, "levaithan_tokens_total", tokens)]
    return any(born)


def _raise(tally: Tally, name: str, totals: Mapping[tuple[str, ...], float]) -> bool:
    """Bring one counter up to its totals; whether some of its series begin now."""
    known = tally.table(name)
    first = not known
    born = [] if first else [labels for labels in totals if labels not in known]
    for labels, total in totals.items():
        tally.raise_to(name, labels, 0.0 if labels in born else total)
    return bool(born)


def show_return(tally: Tally) -> None:
    """The value of completed tasks over what the models cost, by project, where both are known."""
    cost: dict[tuple[str, ...], float] = {}
    for (_, project), usd in tally.table("levaithan_cost_usd_total").items():
        cost[project,] = cost.get((project,), 0.0) + usd
    value = tally.table("levaithan_value_usd_total")
    ratios = {label: usd / cost[label] for label, usd in value.items() if cost.get(label)}
    tally.replace("levaithan_return_on_cost_ratio", ratios)
