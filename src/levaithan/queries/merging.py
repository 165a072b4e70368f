"""A page of events of several machines in the order of true time: which pieces of journals (clocks) it has to look at,
and their rows merged.

What all clocks agree on is one question, as it would be without any pieces. Of the others only those are asked whose
records may be on the page, each between the times that it has, by the index of time: neither a journal that ended long
ago nor a piece that is over is looked for among all that came since or before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from levaithan.queries.asking import Answers
    from levaithan.queries.clocks import Piece

_THERE = (
    "SELECT journal, from_seq, oldest_us, newest_us FROM clock_skews UNION ALL SELECT journal, NULL, NULL, newest_us "
    "FROM machines UNION ALL SELECT journal, NULL, NULL, NULL FROM cursors"
)
Timed = tuple[int, str, tuple[Any, ...]]
"""Corrected time, id, row."""


@dataclass(slots=True, frozen=True)
class Asked:
    """A list: columns and source of its SELECT (its events called e), its conditions and their values, of which `since`
    and `until` are known here, and how many rows."""

    columns: str
    source: str
    said: list[str]
    values: Mapping[str, Any]
    limit: int


@dataclass(slots=True, frozen=True)
class Span:
    """Between which times by its own clock a piece's records are, as far as is known."""

    low_us: int | None = None
    high_us: int | None = None


@dataclass(slots=True)
class _Part:
    """One question of the merged ones: conditions, and what of its events is known."""

    said: list[str]
    skew_us: int = 0
    span: Span = field(default_factory=Span)


class Known:
    """What the ledger knows of the times of its journals' records: asked for once a page. Raises StoreError."""

    def __init__(self, ledger: Answers) -> None:
        self.rows: dict[str, list[tuple[int, int, int]]] = {}
        self.newest: dict[str, int] = {}
        for journal, first, oldest, newest in ledger.rows(_THERE):
            self.rows.setdefault(journal, [])
            if first is not None:
                self.rows[journal].append((first, oldest, newest))
            elif newest is not None:
                self.newest[journal] = max(newest, self.newest.get(journal, newest))

    def others(self, known: Iterable[Piece]) -> bool:
        """Whether there are journals beside those of `known`."""
        return bool(self.rows.keys() - {one.journal for one in known})

    def span(self, piece: Piece) -> Span:
        """That of a piece's records. A stretch may have been put into the one before it since the list was begun."""
        rows = self.rows.get(piece.journal, [])
        begins = max((first for first, _, _ in rows if first <= piece.first), default=0)
        its = [one for one in rows if begins <= one[0] and (piece.until is None or one[0] < piece.until)]
        newest = [one[2] for one in its]
        if piece.until is None and piece.journal in self.newest:  # an older service keeps the latter alone
            newest.append(self.newest[piece.journal])
        low = min((one[1] for one in its), default=None) if piece.first else None
        return Span(low, max(newest, default=None))


def page(ledger: Answers, asked: Asked, known: list[Piece], place: tuple[int, str] | None) -> list[Timed]:
    """Up to limit + 1 rows of a list, newest first, those after `place` (corrected time and id). Raises StoreError."""
    names = {journal: f"j{number}" for number, journal in enumerate(sorted({one.journal for one in known}))}
    values = {**asked.values, **{name: journal for journal, name in names.items()}}
    there = Known(ledger)
    parts = _rest(known, there, names, place, values)
    for number, one in enumerate(known):
        if one.skew_us or one.until is not None:
            parts.append(_Part(_within(one, names[one.journal], f"p{number}", values), one.skew_us, there.span(one)))
    window = asked.values.get("since"), asked.values.get("until")
    parts = [one for one in parts if may_hold(one.span, one.skew_us, *window, place)]
    newest = [one for one in parts if _reaches(one, place)]
    found = _ask(ledger, asked, newest, values, place)
    floor = found[asked.limit][0] if len(found) > asked.limit else None
    rest = [one for one in parts if one not in newest and (floor is None or _top(one) >= floor)]
    if rest:
        found = sorted([*found, *_ask(ledger, asked, rest, values, place)], key=lambda one: one[:2], reverse=True)
    return found[: asked.limit + 1]


def _rest(
    known: list[Piece], there: Known, names: dict[str, str], place: tuple[int, str] | None, values: dict[str, Any]
) -> list[_Part]:
    """All that is by a clock that agrees: other journals, and these where their clocks agree by now."""
    said, lows = [], []
    for number, one in enumerate(known):
        low = there.span(one).low_us
        if not one.skew_us and one.until is None and (place is None or low is None or low <= place[0]):
            said.append(f"({' AND '.join(_within(one, names[one.journal], f'p{number}', values))})")
            lows.append(low)
    low_us = None if None in lows else min((low for low in lows if low is not None), default=None)
    if there.others(known):
        said.append(f"e.journal NOT IN ({', '.join(f':{name}' for name in names.values())})")
        low_us = None
    return [_Part([f"({' OR '.join(said)})"], 0, Span(low_us))] if said else []


def _within(one: Piece, name: str, mark: str, values: dict[str, Any]) -> list[str]:
    """The conditions for a piece's events."""
    said = [f"e.journal = :{name}"]
    for operator, end, number in ((">=", "first", one.first or None), ("<", "until", one.until)):
        if number is not None:
            values[f"{mark}_{end}"] = number
            said.append(f"e.seq {operator} :{mark}_{end}")
    return said


def may_hold(
    span: Span, skew_us: int, since_us: int | None, until_us: int | None, place: tuple[int, str] | None
) -> bool:
    """Whether some of a piece's events may be in a window of its own time, and after `place`."""
    ends = [until_us, None if place is None else place[0] + skew_us + 1]
    behind = span.low_us is not None and any(end is not None and span.low_us >= end for end in ends)
    return not behind and (since_us is None or span.high_us is None or span.high_us >= since_us)


def _top(one: _Part) -> int:
    """The greatest corrected time that its events may have."""
    return 1 << 62 if one.span.high_us is None else one.span.high_us - one.skew_us


def _reaches(one: _Part, place: tuple[int, str] | None) -> bool:
    """Whether it may have the next rows: it reaches to where the page begins."""
    return one.span.high_us is None or (place is not None and _top(one) >= place[0])


def _ask(
    ledger: Answers, asked: Asked, parts: list[_Part], values: dict[str, Any], place: tuple[int, str] | None
) -> list[Timed]:
    """Up to limit + 1 rows of these parts, newest first. Each ends after as many."""
    if not parts:
        return []
    given = {**values, "limit": asked.limit + 1}
    selects = []
    for number, one in enumerate(parts):
        said = [*asked.said, *one.said]
        for operator, end, at_us in ((">=", "low", one.span.low_us), ("<=", "high", one.span.high_us)):
            if at_us is not None:
                given[f"{end}{number}"] = at_us
                said.append(f"e.at_us {operator} :{end}{number}")
        if place is not None:
            given |= {f"b{number}": place[0] + one.skew_us, "before_id": place[1]}
            said += [f"(e.at_us, e.id) < (:b{number}, :before_id)", f"e.at_us <= :b{number}"]
        given[f"s{number}"] = one.skew_us
        selects.append(
            f"SELECT e.at_us - :s{number} AS true_us, e.id AS true_id, {asked.columns} {asked.source} "
            f"WHERE {' AND '.join(said)} ORDER BY e.at_us DESC, e.id DESC LIMIT :limit"
        )
    sql = (
        selects[0]
        if len(selects) == 1
        else (" UNION ALL ".join(f"({one})" for one in selects) + " ORDER BY true_us DESC, true_id DESC LIMIT :limit")
    )
    return [(row[0], row[1], row[2:]) for row in ledger.rows(sql, given)]
