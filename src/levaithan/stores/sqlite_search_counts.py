"""What is counted in the embedded search: by time, by field, by pattern. Standard library only.

The index gives the numbers of the events that hold the words, the documents' columns what they are counted by; without
words and filters the documents are read alone. Codes are counted, and only the counts are given their names.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from levaithan.stores.patterns import joined
from levaithan.stores.roles import FIELDS, Pattern
from levaithan.stores.roles.search import MOST_BUCKETS, MOST_TEMPLATES, Part

if TYPE_CHECKING:
    from collections.abc import Callable

TEMPLATE = "template"
_FOUND = "words CROSS JOIN docs ON docs.number = words.rowid WHERE words MATCH :match AND words.rowid"
_ALL = "docs WHERE docs.number"
_BETWEEN = "{found} BETWEEN :low AND :high {more}"
HISTOGRAM = (
    # The remainder of a time before 1970 is negative in SQLite: the interval begins before it all the same.
    "SELECT docs.at_us - ((docs.at_us % :step) + :step) % :step AS start, count(*) FROM {asked} "
    "GROUP BY start ORDER BY start DESC LIMIT :limit"
)
_COUNTED = (
    "SELECT value, events FROM (SELECT docs.{name} AS coded, count(*) AS events FROM {{asked}} AND docs.{name} NOTNULL "
    "GROUP BY coded) JOIN {names} ON code = coded ORDER BY events DESC, value LIMIT :limit"
)
_NEWEST = "SELECT id FROM docs WHERE number = (SELECT max(docs.number) FROM {asked} AND docs.template = :template)"


@dataclass(slots=True)
class Asked:
    """A question: the FTS5 expression (None = every event), the values, and conditions on `docs`, each with its AND."""

    match: str | None
    values: dict[str, Any]
    more: str = ""

    @property
    def high(self) -> int:
        """The highest number that may be found."""
        return int(self.values["high"])

    def only(self, part: Part, bits: int) -> None:
        """Narrow it to a part of the journals. bits: of a document's number, below those of its journal's."""
        if part.but:
            names = {f"but{number}": one for number, one in enumerate(part.but)}
            others = f"SELECT number FROM journals WHERE journal IN ({', '.join(f':{name}' for name in names)})"  # noqa: S608 - own words
            self.more += f"AND docs.number >> {bits} NOT IN ({others}) "
            self.values |= names
            return
        base = f"(SELECT number << {bits} FROM journals WHERE journal = :journal)"  # noqa: S608 - own words
        self.more += f"AND docs.number >= {base} + :first AND docs.number < {base} + :behind "
        behind = 1 << bits if part.until is None else min(part.until, 1 << bits)
        self.values |= {"journal": part.journal, "first": part.first, "behind": behind}

    def sql(self, statement: str) -> str:
        """`statement` with the FROM and WHERE of this question in place of {asked}."""
        found = _ALL if self.match is None else _FOUND
        return statement.format(asked=_BETWEEN.format(found=found, more=self.more))


def interval(seconds: int) -> int:
    """The interval in microseconds. Raises ValueError for one below a second."""
    if seconds < 1:
        raise ValueError("an interval is a second at least")
    return seconds * 1_000_000


def buckets(limit: int) -> int:
    """How many intervals are given."""
    return max(1, min(limit, MOST_BUCKETS))


def known(field: str) -> None:
    """Raises ValueError for a field that is none of FIELDS."""
    if field not in FIELDS:
        raise ValueError(f"{field!r} is none of {', '.join(FIELDS)}")


def top(field: str) -> str:
    """The SELECT for the most frequent values of `field`. Raises ValueError for none of FIELDS."""
    known(field)
    return _COUNTED.format(name=field, names="names")


def code_of(template: str) -> int:
    """The number of a template: a hash of 64 bits."""
    return int.from_bytes(hashlib.blake2b(template.encode(), digest_size=8).digest(), signed=True)


def patterns(rows: Callable[[str, dict[str, Any]], list[tuple[Any, ...]]], asked: Asked, limit: int) -> list[Pattern]:
    """See roles.Search."""
    found = rows(asked.sql(_COUNTED.format(name=TEMPLATE, names="templates")), asked.values | {"limit": MOST_TEMPLATES})
    newest = asked.sql(_NEWEST)
    return [
        Pattern(one.pattern, one.count, rows(newest, asked.values | {"template": code_of(one.template)})[0][0])
        for one in joined(found)[:limit]
    ]
