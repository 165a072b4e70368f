"""Lists of several machines' events in the order of true time: each machine's clock corrected by its known skew.

What is shown stays the machine's own time. A clock that was set has several skews, each for a piece of its journal from
one record's number to another's (see stores.clock_history). Only pieces whose clock differs by LEAST_US or more are
corrected: where all agree, as NTP keeps them, a list is the same question by the same index as ever. Else the pieces'
events are merged (merging; hits for a search).
A page's cursor carries the pieces that its list was begun with, so measuring anew moves no border between pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from levaithan.errors import UsageProblem
from levaithan.stores.clock_history import LEAST_US
from levaithan.stores.roles import StoreUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from levaithan.queries.asking import Answers

__all__ = ["LEAST_US", "Piece", "pack", "pieces", "unpack"]

_MOST = 16
"""Pieces that are corrected in one list, the widest skews first."""
_MOST_PACKED = 3 * _MOST
"""Pieces in a cursor: beside those that are corrected, what lies before and between them."""
_LONGEST = 4096
_MARK = "m"
"""What begins a cursor that has pieces: one without begins with a digit."""
_PIECE = re.compile(r"(\w{0,64})([+-]\d{1,18})(?:@(\d{1,18}))?", re.ASCII)
_SQL = "SELECT journal, from_seq, skew_us FROM clock_skews ORDER BY journal, from_seq"


@dataclass(slots=True, frozen=True)
class Piece:
    """The records of `journal` from number `first` on and before `until` (None: to its end), whose machine's clock was
    `skew_us` microseconds ahead."""

    journal: str
    skew_us: int
    first: int = 0
    until: int | None = None


def pieces(ledger: Answers) -> list[Piece]:
    """All pieces of the journals that have one that is corrected; [] where all clocks agree, and in an embedded ledger.
    Raises StoreError."""
    if not getattr(ledger, "journal", ""):
        return []
    try:
        rows = ledger.rows(_SQL)
    except StoreUnsupportedError:
        if getattr(ledger, "current", lambda: True)():
            raise
        return []  # an older schema, which nobody may have brought up yet
    found = _joined((journal, first, skew if abs(skew) >= LEAST_US else 0) for journal, first, skew in rows)
    wide = sorted((one for one in found if one.skew_us), key=lambda one: (-abs(one.skew_us), one.journal, one.first))
    kept, named = set(wide[:_MOST]), {one.journal for one in wide[:_MOST]}
    chosen = [one for one in found if one.journal in named]
    return _joined((one.journal, one.first, one.skew_us if one in kept else 0) for one in chosen)


def _joined(skews: Iterable[tuple[str, int, int]]) -> list[Piece]:
    """(journal, first number, skew) in order as pieces, each up to the next, equal ones as one. A journal's first
    begins with the journal."""
    made: list[Piece] = []
    for journal, of_journal in groupby(skews, key=lambda one: one[0]):
        begins = [next(same) for _, same in groupby(of_journal, key=lambda one: one[2])]
        ends = [*(first for _, first, _ in begins[1:]), None]
        made += [
            Piece(journal, skew, first if number else 0, until)
            for number, ((_, first, skew), until) in enumerate(zip(begins, ends, strict=True))
        ]
    return made


def pack(cursor: str, known: list[Piece]) -> str:
    """A page's cursor with the pieces of its list in front; one of a list without any stays as it is. What follows
    another piece of its journal does not say the journal again."""
    if not known:
        return cursor
    said = [f"@{one.first}" if one.first else "" for one in known]
    parts = [f"{'' if at else one.journal}{one.skew_us:+d}{at}" for one, at in zip(known, said, strict=True)]
    return f"{_MARK}{','.join(parts)}~{cursor}"


def unpack(cursor: str) -> tuple[str, list[Piece]]:
    """What `pack` was given. Raises UsageProblem for anything that was never a cursor."""
    if not cursor.startswith(_MARK):
        return cursor, []
    packed, _, rest = cursor[:_LONGEST].partition("~")
    found = [_PIECE.fullmatch(one) for one in packed.removeprefix(_MARK).split(",")]
    skews: list[tuple[str, int, int]] = []
    for one in found[:_MOST_PACKED]:
        begins = bool(one and one[1] and not one[3])
        follows = bool(one and not one[1] and one[3] and skews and int(one[3]) > skews[-1][1])
        if one and (begins or follows):
            skews.append((one[1] if begins else skews[-1][0], int(one[3] or 0), int(one[2])))
    begun = [journal for journal, first, _ in skews if not first]
    if not rest or len(skews) < len(found) or len(set(begun)) < len(begun):
        raise UsageProblem(f"{cursor[:100]!r} is not a cursor.", fix="pass the `next` of the page before, unchanged")
    return rest, _joined(skews)
