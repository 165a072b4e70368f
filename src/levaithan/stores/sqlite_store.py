"""What the embedded stores share: reading, cursor, dead letters, healing, generations. Standard library only."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any, Self

from levaithan.stores import slow
from levaithan.stores.roles import Cursor, DeadLetter, Health, StoreDamagedError
from levaithan.stores.sqlite_file import SqliteFile, is_open, remove

if TYPE_CHECKING:
    from collections.abc import Mapping

_CURSOR = 'SELECT journal, segment, "offset", seq, hash FROM cursors WHERE store = :store'
_DEAD = (
    'SELECT store, segment, "offset", journal, seq, id, tool_use_id, reason, attempts, first_us, last_us '
    'FROM dead_letters WHERE store = :store ORDER BY first_us, segment, "offset" LIMIT :limit'
)


class SqliteStore:
    """One store in one file. Not for two threads at once; any number of processes may read."""

    name = ""
    remote = False
    shared = False
    journal = ""
    logs = ""
    """The folder in which slow questions are noted, "" for none."""
    rereads = True
    """Whether reading the journal again from its start puts right what a changed journal left behind."""
    counted = ""
    """The SELECT that counts what the store holds, from an index or a maximum: health is asked every second."""

    def __init__(self, path: str, max_field: int = 1 << 20) -> None:
        self.file = SqliteFile(self.name, path)
        self.max_field = max_field
        self.found = self.file.found
        self._reader: sqlite3.Connection | None = None
        self._read_of: tuple[int, int] | None = None

    def _read_link(self) -> sqlite3.Connection | None:
        """The reading connection to the present generation; None when there is no file."""
        present = self.file.identity()
        if self._reader is not None and (present != self._read_of or not is_open(self._reader)):
            self._reader.close()
            self._reader = None
        if present is None:
            return None
        if self._reader is None:
            self._reader = self.file.connect(write=False)
            self._read_of = present
        return self._reader

    def rows(self, sql: str, values: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """The answer to one SELECT with `:name` parameters; nothing when there is no file yet, or none of its tables.
        Raises StoreError."""
        begun = time.monotonic()
        try:
            link = self._read_link()
            return [] if link is None else link.execute(sql, values or {}).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if "no such table" in str(error) and self.version() == "":
                return []  # whoever makes the store is at it: the file is there before what it will hold
            raise self.file.wrap(error) from error
        finally:
            slow.asked(self.name, time.monotonic() - begun, self.logs)

    def version(self) -> str | None:
        """The schema's version, "" for a file without a schema, None without a file. Raises StoreError."""
        raise NotImplementedError

    def migrate(self) -> None:
        """Make the schema or bring it up to date. Raises StoreError."""
        raise NotImplementedError

    def current(self) -> bool:
        """Whether the file is there and of this version. Raises StoreError."""
        raise NotImplementedError

    def check_version(self) -> None:
        """See roles.Projected. A store that is made again when its version is another one has nothing to say."""

    def cursor(self) -> Cursor | None:
        """See roles.Projected."""
        if not self.version():
            return None
        found = self.rows(_CURSOR, {"store": self.name})
        if not found:
            return None
        if [type(one) for one in found[0]] != [str, str, int, int, str]:
            raise StoreDamagedError(store=self.name, path=self.file.path, reason="its cursor is of no sense")
        return Cursor(*found[0])

    def dead_letters(self, limit: int = 1000) -> list[DeadLetter]:
        """See roles.Projected."""
        if not self.current():
            return []
        return [DeadLetter(*row) for row in self.rows(_DEAD, {"store": self.name, "limit": limit})]

    def dead_count(self) -> int:
        """The number of dead letters."""
        return int(self.rows("SELECT count(*) FROM dead_letters")[0][0]) if self.current() else 0

    def heal(self) -> bool:
        """Move a damaged file aside. True when there was damage; the store is empty then, and says so in `found`."""
        why = self.file.check()
        if not why:
            try:
                self.migrate()
            except StoreDamagedError as error:
                why = str(error.values.get("reason", error))
        if why:
            self.move_aside(why)
        return bool(why)

    def move_aside(self, why: str) -> None:
        """Keep the file as damaged and begin anew."""
        self.close()
        self.file.move_aside(why)

    def beside(self) -> Self:
        """An empty store for a rebuild; `take_over` gives it this one's name."""
        return type(self)(self.file.beside().path, self.max_field)

    def take_over(self, fresh: Self) -> None:
        """Replace this store by `fresh`: readers go on with the old file until they ask again."""
        fresh.close()
        self.close()
        self.file.take_over(fresh.file)

    def clear_leftovers(self) -> None:
        """Remove what rebuilds that never finished left behind; only under the projection lock."""
        remove(self.file.leftovers())

    def drop_all(self) -> None:
        """See roles.Projected."""
        self.close()
        self.file.remove()
        self.migrate()

    def health(self) -> Health:
        """See roles.Projected."""
        health = Health(self.name, True, f"sqlite {self.file.path}", "none", 0, 0, self.file.size(), list(self.found))
        health.server = f"SQLite {sqlite3.sqlite_version}"
        health.free_bytes = self.file.free()
        try:
            health.schema = self.version() or "none"
            if self.current():
                health.rows = int(self.rows(self.counted)[0][0])
                health.dead_letters = self.dead_count()
        except Exception as error:
            health.ok = False
            health.problems.insert(0, str(error))
            health.fix = getattr(error, "fix", "")
        return health

    def close(self) -> None:
        """See roles.Projected."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
