"""Dead letters kept on this machine, for stores whose server has no transaction to keep them in.

They are about lines of this machine's journal and can be tried again nowhere else. One SQLite file for all such
stores; a store restored from an older copy loses none of them. Standard library only.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.stores.dead import dead_letter_values
from levaithan.stores.roles import DeadLetter, StoreBusyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.stores.roles import Delivery, Rejected

FILE = "letters.sqlite3"
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS dead_letters (store TEXT NOT NULL, journal TEXT NOT NULL, segment TEXT NOT NULL, "
    '"offset" INTEGER NOT NULL, seq INTEGER, id TEXT, tool_use_id TEXT, reason TEXT NOT NULL, '
    "attempts INTEGER NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, "
    'PRIMARY KEY (store, journal, segment, "offset")) WITHOUT ROWID'
)
_PUT = (
    'INSERT INTO dead_letters (store, journal, segment, "offset", seq, id, tool_use_id, reason, attempts, first_us, '
    "last_us) VALUES (:store, :journal, :segment, :offset, :seq, :id, :tool_use_id, :reason, :attempts, :first_us, "
    ':last_us) ON CONFLICT (store, journal, segment, "offset") DO UPDATE SET attempts = attempts + 1, '
    "last_us = excluded.last_us, reason = excluded.reason"
)
_LIST = (
    'SELECT store, segment, "offset", journal, seq, id, tool_use_id, reason, attempts, first_us, last_us '
    "FROM dead_letters WHERE store = :store AND journal = :journal "
    'ORDER BY first_us, segment, "offset" LIMIT :limit'
)
_OF = "FROM dead_letters WHERE store = ? AND journal = ?"


class Letters:
    """The dead letters of one store in the folder `state`. Opened anew for each question: they are few and rare.

    Every method raises StoreBusyError when the file cannot be used: then the store's cursor waits.
    """

    def __init__(self, state: str, store: str) -> None:
        self.path = str(Path(state, FILE))
        self.store = store

    def note(self, batch: Sequence[Delivery], rejected: Sequence[Rejected]) -> None:
        """Keep `rejected`, and let go of those of `batch` that arrived this time."""
        if not rejected and not self.exists():
            return
        refused = {_place(one.delivery) for one in rejected}
        arrived = [(self.store, *_place(one)) for one in batch if _place(one) not in refused]
        with self._opened() as link:
            if link.execute("SELECT 1 FROM dead_letters WHERE store = ? LIMIT 1", (self.store,)).fetchone():
                link.executemany(
                    'DELETE FROM dead_letters WHERE store = ? AND journal = ? AND segment = ? AND "offset" = ?', arrived
                )
            link.executemany(_PUT, [dead_letter_values(self.store, one) for one in rejected])

    def list(self, journal: str, limit: int = 1000) -> list[DeadLetter]:
        """The dead letters of `journal`, the oldest first."""
        if not self.exists():
            return []
        with self._opened() as link:
            values = {"store": self.store, "journal": journal, "limit": limit}
            return [DeadLetter(*row) for row in link.execute(_LIST, values)]

    def count(self, journal: str) -> int:
        """How many of `journal` there are."""
        if not self.exists():
            return 0
        with self._opened() as link:
            return int(link.execute(f"SELECT count(*) {_OF}", (self.store, journal)).fetchone()[0])

    def clear(self, journal: str) -> None:
        """Forget those of `journal`: the store is made again from its start."""
        if self.exists():
            with self._opened() as link:
                link.execute(f"DELETE {_OF}", (self.store, journal))

    def exists(self) -> bool:
        """Whether any store ever had one."""
        return Path(self.path).exists()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        link: Any = None
        try:
            link = sqlite3.connect(self.path, timeout=5.0)
            if Path(self.path).stat().st_size == 0:
                Path(self.path).chmod(0o600)
            with link:
                link.execute(_SCHEMA)
                yield link
        except (sqlite3.Error, OSError) as error:
            raise StoreBusyError(store=self.store, reason=f"{self.path}: {error}") from error
        finally:
            if link is not None:
                link.close()


def _place(delivery: Delivery) -> tuple[str, str, int]:
    return delivery.journal, delivery.segment, delivery.offset
