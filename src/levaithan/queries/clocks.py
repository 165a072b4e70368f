"""Lists of several machines' events in the order of true time: each machine's clock corrected by its known skew.

What is shown stays the machine's own time. Only clocks that differ by LEAST_US or more are corrected: where all agree,
as NTP keeps them, a list is the same question by the same index as ever. Else it is one such question for each journal,
merged.
A page's cursor carries the skews that its list was begun with, so measuring them again moves no border between pages.
"""

from __future__ import annotations

import re
from typing import Any

from levaithan.errors import UsageProblem
from levaithan.queries.asking import Answers

LEAST_US = 100_000
"""Below this a skew is no more than what measuring it may be wrong by."""
_MOST = 16
"""Journals that are corrected in one list, the widest skews first."""
_LONGEST = 4096
_MARK = "m"
"""What begins a cursor that has skews: one without begins with a digit."""
_SKEW = re.compile(r"(\w{1,64})([+-]\d{1,18})", re.ASCII)
_SQL = (
    "SELECT m.journal, m.skew_us FROM machines m JOIN (SELECT journal, max(last_us) AS last_us FROM "
    "machines GROUP BY journal) l ON l.journal = m.journal AND l.last_us = m.last_us ORDER BY m.journal"
)


def skews(ledger: Answers) -> dict[str, int]:
    """journal -> by how many microseconds its machine's clock is ahead, of those that are corrected; {} in a ledger of
    one journal. Raises StoreError."""
    if not getattr(ledger, "journal", ""):
        return {}
    found = {journal: skew for journal, skew in ledger.rows(_SQL) if skew is not None and abs(skew) >= LEAST_US}
    return dict(sorted(found.items(), key=lambda one: -abs(one[1]))[:_MOST])


def pack(cursor: str, known: dict[str, int]) -> str:
    """A page's cursor with the skews of its list in front; one of a list without any stays as it is."""
    return f"{_MARK}{','.join(f'{journal}{skew:+d}' for journal, skew in known.items())}~{cursor}" if known else cursor


def unpack(cursor: str) -> tuple[str, dict[str, int]]:
    """What `pack` was given. Raises UsageProblem for anything that was never a cursor."""
    if not cursor.startswith(_MARK):
        return cursor, {}
    packed, _, rest = cursor[:_LONGEST].partition("~")
    found = [_SKEW.fullmatch(one) for one in packed.removeprefix(_MARK).split(",")]
    if not rest or not all(found) or len(found) > _MOST:
        raise UsageProblem(f"{cursor[:100]!r} is not a cursor.", fix="pass the `next` of the page before, unchanged")
    return rest, {one[1]: int(one[2]) for one in found if one}


def merged(
    columns: str, source: str, said: list[str], known: dict[str, int], place: tuple[int, str] | None
) -> tuple[str, dict[str, Any]]:
    """(SQL, values) of a list over `source` (its events called e), newest first, with the corrected time behind
    `columns`; `place` is the corrected time and the id of the row before. Each part ends after :limit rows."""
    values: dict[str, Any] = {}
    parts = []
    names = [f"j{number}" for number in range(len(known))]
    values |= dict(zip(names, known, strict=True))
    # A journal that ended long ago is not looked for among all that came since.
    newest = "e.at_us <= (SELECT max(newest_us) FROM machines WHERE journal = :{0})"
    others = f"e.journal NOT IN ({', '.join(f':{name}' for name in names)})"
    for number, (condition, skew) in enumerate(
        [
            (others, 0),
            *(
                (f"e.journal = :{name} AND {newest.format(name)}", skew)
                for name, skew in zip(names, known.values(), strict=True)
            ),
        ]
    ):
        own = [*said, condition]
        if place is not None:
            values |= {f"b{number}": place[0] + skew, "before_id": place[1]}
            own += [f"(e.at_us, e.id) < (:b{number}, :before_id)", f"e.at_us <= :b{number}"]
        values[f"s{number}"] = skew
        parts.append(
            f"(SELECT {columns}, e.at_us - :s{number} AS true_us {source} WHERE {' AND '.join(own)} "
            "ORDER BY e.at_us DESC, e.id DESC LIMIT :limit)"
        )
    return f"{' UNION ALL '.join(parts)} ORDER BY true_us DESC, id DESC LIMIT :limit", values
