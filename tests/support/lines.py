"""The ways from adapters to their stores, and what is done to them: connections are lost, answers never come, nobody is
reached. To a server that is a relay between the two; to a file it is its connections closed under the adapter, and
another process that holds the file's lock and is killed."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import urlsplit

from tests.support.relay import Relay

from levaithan.stores import sqlite_file
from levaithan.stores.roles import StoreBusyError, StoreDownError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.relay import Address

_HOLDER = """
import sqlite3, sys
link = sqlite3.connect(sys.argv[1], isolation_level=None)
link.execute("BEGIN IMMEDIATE")
link.execute("DELETE FROM cursors")
print("held", flush=True)
sys.stdin.read()
"""
LIMIT_S = 2.0
"""How long a call by such a way may take, in place of a setting."""
_BUSY_MS = 100
"""How long an adapter waits for another writer of the file in these tests, in place of five seconds."""


class Line:
    """One way. `open` gives another object on the same store; what is done is done to the ways of all of them."""

    down: type[StoreBusyError]
    """What is raised while nobody is reached."""
    readable = False
    """Whether the store can still be read then."""

    def __init__(self, open: Callable[[], Any]) -> None:
        self.open = open

    @property
    def answers(self) -> int:
        """How many answers there were so far."""
        raise NotImplementedError

    @property
    def lost(self) -> int:
        """How many of them were lost."""
        raise NotImplementedError

    def cut(self, *, reset: bool) -> None:
        """Every connection that is open is lost."""
        raise NotImplementedError

    def lose_answer(self, number: int) -> None:
        """The store does what it is asked; the answer of this number from now on (1 is the next) never arrives. 0: all
        do."""
        raise NotImplementedError

    @contextlib.contextmanager
    def away(self, after: int = 0) -> Iterator[None]:
        """Nobody is reached meanwhile: from now on, or from the loss of the answer of this number on (see above)."""
        raise NotImplementedError
        yield

    def close(self) -> None:
        """Let go of it."""


class ServerLine(Line):
    """To a server, by a relay. `open` is given the addresses to ask in place of `servers`; `end` what ends besides."""

    def __init__(
        self,
        servers: Sequence[Address],
        open: Callable[[list[Any]], Any],
        *,
        at: Sequence[Address] = (),
        down: type[StoreBusyError] = StoreDownError,
        end: Callable[[], object] = lambda: None,
    ) -> None:
        self.relay = Relay(servers, at)
        self.down = down
        self._end = end
        super().__init__(lambda: open(self.relay.addresses))

    @property
    def answers(self) -> int:
        """See Line."""
        return self.relay.answers

    @property
    def lost(self) -> int:
        """See Line."""
        return self.relay.lost

    def cut(self, *, reset: bool) -> None:
        """See Line."""
        self.relay.cut(reset=reset)

    def lose_answer(self, number: int) -> None:
        """See Line."""
        self.relay.lose_answer(number)

    @contextlib.contextmanager
    def away(self, after: int = 0) -> Iterator[None]:
        """See Line."""
        if after:
            self.relay.lose_answer(after, and_leave=True)
        else:
            self.relay.leave()
        try:
            yield
        finally:
            self.relay.back()

    def close(self) -> None:
        """See Line."""
        self._end()
        self.relay.stop()


class FileLine(Line):
    """To the SQLite file at `path`. An answer is what a statement gives, or the end of a transaction."""

    down = StoreBusyError
    readable = True

    def __init__(self, path: str, open: Callable[[], Any]) -> None:
        super().__init__(open)
        self.path = path
        self._answers = self._lost = self._left = 0
        self._links: list[sqlite3.Connection] = []
        driver = ModuleType("sqlite3")
        driver.__dict__.update(sqlite3.__dict__)
        driver.__dict__["connect"] = self._connect
        self._patches = [
            mock.patch.object(sqlite_file, "sqlite3", driver), mock.patch.object(sqlite_file, "BUSY_MS", _BUSY_MS),
        ]  # fmt: skip
        for one in self._patches:
            one.start()

    def _connect(self, *given: Any, **more: Any) -> sqlite3.Connection:
        link = sqlite3.connect(*given, factory=_watched(self._answered), **more)
        self._links.append(link)
        return link

    @property
    def answers(self) -> int:
        """See Line."""
        return self._answers

    @property
    def lost(self) -> int:
        """See Line."""
        return self._lost

    def cut(self, *, reset: bool) -> None:
        """See Line."""
        for one in self._links:
            one.close()
        self._links = []

    def lose_answer(self, number: int) -> None:
        """See Line."""
        self._left = number

    def _answered(self, cursor: sqlite3.Cursor | None) -> None:
        self._answers += 1
        if self._left < 1:
            return
        self._left -= 1
        if not self._left:
            self._lost += 1
            if cursor is not None:
                cursor.close()  # else its statement would keep the connection, and its lock
            self.cut(reset=True)
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.")

    @contextlib.contextmanager
    def away(self, after: int = 0) -> Iterator[None]:
        """See Line. Another writer has the file, and is killed in the midst of its transaction."""
        if after:
            self.lose_answer(after)
            yield
            return
        holder = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _HOLDER, self.path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        with holder:
            assert holder.stdout
            assert holder.stdout.readline() == "held\n"
            try:
                yield
            finally:
                holder.kill()

    def close(self) -> None:
        """See Line."""
        for one in self._patches:
            one.stop()


def _watched(answered: Callable[[sqlite3.Cursor | None], None]) -> type[sqlite3.Connection]:
    """A kind of connection that says so whenever it has done what it was asked."""

    class Cursor(sqlite3.Cursor):
        def execute(self, *given: Any) -> Cursor:
            super().execute(*given)
            answered(self)
            return self

        def executemany(self, *given: Any) -> Cursor:
            super().executemany(*given)
            answered(self)
            return self

    class Connection(sqlite3.Connection):
        def cursor(self, factory: type[sqlite3.Cursor] = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, *given: Any) -> Any:
            return self.cursor().execute(*given)

        def executemany(self, *given: Any) -> Any:
            return self.cursor().executemany(*given)

        def commit(self) -> None:
            super().commit()
            answered(None)

    return Connection


def address_of(url: str, port: int = 0) -> Address:
    """Where the server of `url` is; `port` where it names none."""
    split = urlsplit(url)
    return split.hostname or "", split.port or port


def by(address: Any, url: str) -> str:
    """`url` by another way."""
    split = urlsplit(url)
    user, at, _ = split.netloc.rpartition("@")
    host = "localhost" if split.hostname == "localhost" else address[0]  # a certificate may name it
    return split._replace(netloc=f"{user}{at}{host}:{address[1]}").geturl()
