"""What the ledger says of the time around an incident's start: the bad events, since when there are more of them, and
what they have in common that they had not before. Every question goes by an index and is bounded by a number of rows:
a ledger of a million events answers all of them within the second that a draft has."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from levaithan.queries.asking import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

    from levaithan.incidents.incident import Incident
    from levaithan.queries.asking import Answers

BEFORE_S, AFTER_S = 1800, 900
"""The window around the start from which events are taken."""
LONG_BEFORE_S = 3 * 3600
WEEK_S = 7 * 86_400
SHOWN = 40
LEAST = 3
LEAST_LIFT = 1.5
_MOST = 1_000
_MOST_READ = 20_000
"""Rows that one question looks at, whatever else is in its window: an hour may hold five million."""
_MOST_COUNTED = 50_000
_NAMES = ("seq", "journal", "at_us", "event", "tool", "decision", "rule", "reason", "session", "agent", "id", "project",
          "hook", "agent_type")  # fmt: skip
_COLUMNS = (
    "e.seq, e.journal, e.at_us, e.event, e.tool_name, e.decision, e.rule, e.reason, e.session_id, e.agent_id, e.id, "
    "e.project, e.hook, e.agent_type"
)
_REFUSED = "e.decision != 'allow' AND e.decision IN ('deny', 'halt', 'ask')"  # spelt as the partial index is
_BAD = (_REFUSED, "e.event = 'PostToolUseFailure'", "e.event = 'StopFailure'")
DIMENSIONS = ("tool", "project", "rule", "hook", "agent_type")


@dataclass
class Place:
    """Where and when to look: start_us; inner: a condition on `events e` that has an index, outer: what is left of them
    to be looked at row by row; and the values of both."""

    start_us: int
    inner: str
    outer: str
    values: dict[str, object] = field(default_factory=dict)

    def over(self, low_us: int, high_us: int) -> dict[str, object]:
        """The values with a window."""
        return {**self.values, "low": low_us, "high": high_us, "read": _MOST_READ}

    def rows(self, what: str, columns: str, way: str) -> str:
        """The newest (way DESC) or oldest events of `what` in the window, _MOST_READ at most, as a table `e`."""
        return (
            f"(SELECT {columns}, e.canary FROM events e WHERE {what} AND e.at_us >= :low AND e.at_us < :high "  # noqa: S608
            f"AND {self.inner} ORDER BY e.at_us {way} LIMIT :read) AS e WHERE {self.outer}"
        )


def place_of(incident: Incident) -> Place:
    """Narrowed to the incident's session, else its project, else everything; without the guard's own tests."""
    start_us, own = int(incident.started_s * 1e6), "e.canary = 0"
    if incident.session_id:
        return Place(start_us, "e.session_id = :session_id", own, {"session_id": incident.session_id})
    if incident.project:
        return Place(start_us, "1 = 1", f"{own} AND e.project = :project", {"project": incident.project})
    return Place(start_us, "1 = 1", own)


def bad_events(ledger: Answers, place: Place) -> list[dict[str, Any]]:
    """Refused and failed calls around the start, in order: at most 1000 of a kind on each side, the nearest."""
    found: dict[str, dict[str, Any]] = {}
    start = place.start_us
    for what in _BAD:
        for low, high, way in (
            (start - BEFORE_S * 1_000_000, start, "DESC"), (start, start + AFTER_S * 1_000_000, "ASC"),
        ):  # fmt: skip
            sql = f"SELECT {_COLUMNS} FROM {place.rows(what, _COLUMNS, way)} ORDER BY e.at_us {way} LIMIT :most"  # noqa: S608
            for row in ledger.rows(sql, {**place.over(low, high), "most": _MOST}):
                one = dict(zip(_NAMES, row, strict=True))
                found[one["id"]] = one
    return sorted(found.values(), key=lambda one: (one["at_us"], one["id"]))


def nearest_to_start(events: list[dict[str, Any]], start_us: int, most: int = SHOWN) -> list[dict[str, Any]]:
    """The `most` events nearest to the start, in order."""
    chosen = sorted(events, key=lambda one: abs(one["at_us"] - start_us))[:most]
    return sorted(chosen, key=lambda one: (one["at_us"], one["id"]))


def by_minute(ledger: Answers, place: Place) -> tuple[dict[int, int], int]:
    """(minute since 1970 -> refused and failed calls, the first minute that is whole): from three hours before the
    start to a quarter of an hour after, or as far back as the newest 20,000 of each kind reach."""
    low, high = place.start_us - LONG_BEFORE_S * 1_000_000, place.start_us + AFTER_S * 1_000_000
    counts: Counter[int] = Counter()
    first = low // 60_000_000
    everything = Place(place.start_us, place.inner, "1 = 1", place.values)
    for what in _BAD:
        rows = everything.rows(what, "e.at_us / 60000000 AS minute, e.project", "DESC")
        sql = (
            f"SELECT e.minute, count(*), sum(CASE WHEN {place.outer} THEN 1 ELSE 0 END) FROM {rows} "  # noqa: S608
            "GROUP BY e.minute"
        )
        found = ledger.rows(sql, place.over(low, high))
        counts.update({minute: int(mine) for minute, _all, mine in found if mine})
        if sum(one[1] for one in found) >= _MOST_READ:
            first = max(first, min(one[0] for one in found) + 1)
    return dict(counts), first


def divergence(counts: dict[int, int], start_us: int, first: int | None = None) -> dict[str, Any] | None:
    """The minute from which on there were more: the split of the series at which two Poisson rates explain it best.

    None where that explains it no better than one rate (a likelihood ratio under 10, p about 1e-5). Twice the log of
    the ratio is S. S. Wilks' statistic; the split is D. V. Hinkley's estimate of a change point (1970). first: the
    minute from which on the counts are whole.
    """
    last = max([*counts, (start_us // 60_000_000)])
    begin = (start_us - LONG_BEFORE_S * 1_000_000) // 60_000_000 if first is None else first
    series = [counts.get(minute, 0) for minute in range(begin, last + 1)]
    total, best, at = sum(series), 0.0, 0
    base = _likelihood(total, len(series)) if series else 0.0
    before = 0
    for split in range(1, len(series)):
        before += series[split - 1]
        after = total - before
        if after * split <= before * (len(series) - split):
            continue
        gain = _likelihood(before, split) + _likelihood(after, len(series) - split) - base
        if gain > best:
            best, at = gain, split
    if best < 10.0:
        return None
    low, high = sum(series[:at]) / at, sum(series[at:]) / (len(series) - at)
    return {
        "at": iso((begin + at) * 60_000_000), "before_per_minute": round(low, 3), "after_per_minute": round(high, 3),
        "log_likelihood_gain": round(best, 1),
    }  # fmt: skip


def _likelihood(count: int, minutes: int) -> float:
    """The log likelihood of `count` events in `minutes` at their own mean rate, without what is common to all."""
    return count * math.log(count / minutes) - count if count else 0.0


def contributors(ledger: Answers, events: list[dict[str, Any]], place: Place) -> list[dict[str, Any]]:
    """What the bad events have in common more than those of the week before: dimension, value, count, share now, share
    before, lift (the quotient of the two, each with half a count added). The greatest lift first, ten at most."""
    now = {name: Counter(one[name] for one in events if one.get(name)) for name in DIMENSIONS}
    now["model"] = _models(ledger, events)
    high = place.start_us - BEFORE_S * 1_000_000
    week = _week(ledger, high - WEEK_S * 1_000_000, high)
    found = []
    for name, counts in now.items():
        total, total_before = sum(counts.values()), sum(week.get(name, Counter()).values())
        kinds = len(set(counts) | set(week.get(name, ()))) or 1
        for value, count in counts.most_common(20):
            before = week.get(name, Counter())[value]
            share, share_before = count / total, before / total_before if total_before else 0.0
            lift = ((count + 0.5) / (total + 0.5 * kinds)) / ((before + 0.5) / (total_before + 0.5 * kinds))
            if count >= LEAST and lift >= LEAST_LIFT and total_before:
                found.append(
                    {"dimension": name, "value": str(value)[:300], "count": count, "share": round(share, 3),
                     "share_before": round(share_before, 3), "lift": round(lift, 2)}
                )  # fmt: skip
    return sorted(found, key=_by_lift)[:10]


def _by_lift(one: dict[str, Any]) -> tuple[float, int, str]:
    return -one["lift"], -one["count"], one["value"]


def _models(ledger: Answers, events: list[dict[str, Any]]) -> Counter[str]:
    """The models of the sessions of the bad events, by event."""
    by_session = Counter(one["session"] for one in events if one.get("session"))
    chosen = {f"s{number}": one for number, (one, _) in enumerate(by_session.most_common(100))}
    if not chosen:
        return Counter()
    names = ", ".join(f":{name}" for name in chosen)
    sql = f"SELECT session_id, model FROM sessions WHERE model IS NOT NULL AND session_id IN ({names})"  # noqa: S608
    found: Counter[str] = Counter()
    for session, model in ledger.rows(sql, dict(chosen)):
        found[model] += by_session[session]
    return found


def _week(ledger: Answers, low_us: int, high_us: int) -> dict[str, Counter[str]]:
    """The bad events of the week before by dimension: by hourly sums where there are such, else the newest 20,000."""
    found: dict[str, Counter[str]] = {}
    bad = "sum(CASE WHEN event IN ('PostToolUseFailure', 'StopFailure') THEN events ELSE denials END)"
    for name, column in (("tool", "tool_name"), ("project", "project"), ("model", "model")):
        sql = (
            f"SELECT {column}, {bad} FROM rollups WHERE hour_us >= :low AND hour_us < :high AND {column} != '' "  # noqa: S608
            f"GROUP BY {column}"
        )
        rows = ledger.rows(sql, {"low": low_us, "high": high_us})
        found[name] = Counter({value: int(count) for value, count in rows if count})
    for name in ("rule", "hook", "agent_type"):
        sql = (
            f"SELECT near.value, count(*) FROM (SELECT e.{name} AS value FROM events e WHERE {_REFUSED} "  # noqa: S608
            "AND e.at_us >= :low AND e.at_us < :high AND e.canary = 0 ORDER BY e.at_us DESC LIMIT :most) AS near "
            "WHERE near.value IS NOT NULL GROUP BY near.value"
        )
        rows = ledger.rows(sql, {"low": low_us, "high": high_us, "most": _MOST_READ})
        found[name] = Counter({value: int(count) for value, count in rows})
    return found


def rates(ledger: Answers, place: Place, counts: dict[int, int], first: int) -> dict[str, float]:
    """Events and bad events a minute, in the hour before the start and in the quarter of an hour after it. What is more
    than can be counted in time, or before the `first` minute that is whole, is left out."""
    start, found = place.start_us - place.start_us % 60_000_000, dict[str, float]()  # whole minutes, as the counts are
    for name, low, high in (
        ("before", start - 3_600_000_000, start), ("after", start, start + AFTER_S * 1_000_000),
    ):  # fmt: skip
        sql = (
            f"SELECT count(*), sum(CASE WHEN {place.outer} THEN 1 ELSE 0 END) FROM (SELECT e.canary, e.project "  # noqa: S608
            f"FROM events e WHERE e.at_us >= :low AND e.at_us < :high AND {place.inner} LIMIT :read) AS e"
        )
        ((read, mine),) = ledger.rows(sql, {**place.over(low, high), "read": _MOST_COUNTED})
        minutes = (high - low) / 60_000_000
        bad = sum(count for minute, count in counts.items() if low <= minute * 60_000_000 < high)
        if read < _MOST_COUNTED:
            found[f"events_per_minute_{name}"] = round(int(mine or 0) / minutes, 3)
        whole = (high - max(low, first * 60_000_000)) / 60_000_000
        if whole >= 1:
            found[f"bad_per_minute_{name}"] = round(bad / whole, 3)
    return found


def sessions_of(events: Iterable[dict[str, Any]], most: int = 3) -> list[str]:
    """The sessions with the most of the events."""
    return [one for one, _ in Counter(one["session"] for one in events if one.get("session")).most_common(most)]
