"""The sessions, agents, tool calls and sums that a journal makes, held against those of a ledger.

Each is a fold of many records, and has no fingerprint of its own. The journal is folded anew, by the rules that the
ledger itself goes by (stores.rows, stores.schema), into a file that is gone afterwards, and then compared by key. Not
compared is a session that has records outside of the window: another machine's, newer ones, or those that were pruned,
also where the ledger's retention has dropped these too, and its row alone says that it is older than the journal. Nor
one that ended in a month that was dropped.
What is particular about sums is in projector.sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import sqlite as dialects
from sqlalchemy.schema import CreateTable

from levaithan.projector.scratch import Scratch
from levaithan.projector.sums import Sums
from levaithan.stores import rows as to_rows
from levaithan.stores.schema import TABLES, upsert_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.projector.lacking import Lacking
    from levaithan.projector.scratch import Window
    from levaithan.stores.roles import Delivery

FOLDED = {"sessions": 1, "agents": 2, "tool_calls": 1}
"""Each table of folds and the number of its columns, the first ones, that are its key."""
_SINCE = {"sessions": "first_us", "agents": "first_us", "tool_calls": "pre_us"}
_UNTIL = {"sessions": ("last_us",), "agents": ("last_us",), "tool_calls": ("end_us", "pre_us")}
"""When one began, and by which of its times retention drops it: the first that it has."""
_PAGE = 500
_ELSEWHERE = (
    "SELECT DISTINCT session_id FROM events WHERE session_id IN ({wanted}) "
    "AND (journal <> :journal OR seq < :first OR seq > :last)"
)


class Folds(Scratch):
    """The folds of one journal, as far as it was `put`; a context manager, which removes the file. `lacking` knows what
    the ledger's retention has dropped."""

    def __init__(self, lacking: Lacking) -> None:
        super().__init__()
        self._lacking = lacking
        dialect = dialects.dialect()
        for name in FOLDED:
            self.file.execute(str(CreateTable(TABLES[name]).compile(dialect=dialect)))
        self._sql = {name: upsert_sql(name, dialect) for name in FOLDED}
        self._sums = Sums(self.file)

    def put(self, read: Sequence[Delivery], taken: Sequence[Delivery], max_field: int) -> None:
        """Fold the records of `taken`, which are those of `read` that the ledger should have; what a ledger would not
        take is left out."""
        made, _ = to_rows.build(taken, max_field)
        self.file.execute("BEGIN")
        for name, some in (("sessions", made.sessions), ("agents", made.agents), ("tool_calls", made.calls)):
            self.file.executemany(self._sql[name], list(some.values()))
        self._sums.put(read, taken, made)
        self.file.execute("COMMIT")

    def differing(self, ledger: Any, window: Window) -> Iterator[tuple[str, str]]:
        """(table, key) of each fold of the records of `window` that the ledger lacks or holds otherwise; of sessions,
        agents and calls those alone whose session is all of this window."""
        yield from self._of_sessions(ledger, window)
        yield from self._sums.differing(ledger, window, self._lacking.dropped_us)

    def _of_sessions(self, ledger: Any, window: Window) -> Iterator[tuple[str, str]]:
        for name, keys in FOLDED.items():
            names = [one.name for one in TABLES[name].columns]
            session = names.index("session_id")
            for page in self._pages(name, names, keys):
                there = _there(ledger, name, names, keys, page)
                wrong = [
                    row for row in page
                    if (theirs := there.get(row[:keys])) != row
                    and not self._is_gone(name, dict(zip(names, row, strict=True)))
                    and not (theirs and window.pruned() and self._is_older(name, names, row, theirs))
                ]  # fmt: skip
                elsewhere = _elsewhere(ledger, {row[session] for row in wrong}, window)
                for row in wrong:
                    if row[session] is not None and row[session] not in elsewhere:
                        yield name, "/".join(row[:keys])

    def _is_gone(self, name: str, row: dict[str, Any]) -> bool:
        """Whether the ledger's retention has dropped it, as one that ended before what is left."""
        ended = next((row[one] for one in _UNTIL[name] if row[one] is not None), None)
        return ended is not None and ended < self._lacking.dropped_us

    def _is_older(self, name: str, names: list[str], ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
        """Whether the ledger's row says that it began before the journal does, and before the journal's own row."""
        since = names.index(_SINCE[name])
        began, begun = theirs[since], self._sums.near_us
        if began is None or begun is None or began > begun:
            return False
        return ours[since] is None or bool(began < ours[since])

    def count(self) -> int:
        """How many there are."""
        of_sessions = sum(int(self.file.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in FOLDED)  # noqa: S608 - own words
        return of_sessions + self._sums.count()

    def _pages(self, name: str, names: list[str], keys: int) -> Iterator[list[tuple[Any, ...]]]:
        wanted, order = ", ".join(f'"{one}"' for one in names), ", ".join(names[:keys])
        asked = self.file.execute(f"SELECT {wanted} FROM {name} ORDER BY {order}")  # noqa: S608 - own words
        while page := asked.fetchmany(_PAGE):
            yield page


def _there(
    ledger: Any, name: str, names: list[str], keys: int, page: list[tuple[Any, ...]]
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """key -> row, of the ledger's rows with the first columns of those of `page`."""
    first = sorted({row[0] for row in page})
    wanted, values = _listed(first)
    asked = f"SELECT {', '.join(names)} FROM {name} WHERE {names[0]} IN ({wanted})"  # noqa: S608 - own words
    return {tuple(row[:keys]): tuple(row) for row in ledger.rows(asked, values)}


def _elsewhere(ledger: Any, sessions: set[Any], window: Window) -> set[Any]:
    """Those of `sessions` with a record that is not of this window."""
    wanted, values = _listed(sorted(one for one in sessions if one is not None))
    if not values:
        return set()
    asked = _ELSEWHERE.format(wanted=wanted)
    values |= {"journal": window.journal, "first": window.first, "last": window.last}
    return {row[0] for row in ledger.rows(asked, values)}


def _listed(some: list[Any]) -> tuple[str, dict[str, object]]:
    """The list for an IN, and its parameters."""
    values: dict[str, object] = {f"k{number}": one for number, one in enumerate(some)}
    return ", ".join(f":{name}" for name in values), values
