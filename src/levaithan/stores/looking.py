"""Looks at several stores at once: the answers in the order asked, in the time of the slowest one. Loads no driver.

Unlike side_by_side, which gives way to others: here a person waits. A thread opens, asks and closes its store, for a
connection of SQLite belongs to the thread that made it.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from levaithan.config import lean
from levaithan.errors import LevaithanError
from levaithan.stores import edge, registry
from levaithan.stores.roles import MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from levaithan.hot.paths import Home

Answer = TypeVar("Answer")


def each(look: Callable[[str], Answer], names: Sequence[str], home: Home) -> Iterator[Answer]:
    """What `look` makes of each store of `names` of the home, in their order; a server that does not answer is tried
    once (edge.once). Raises what `look` raises, at that store's turn.

    Drivers are loaded before the first is asked: a store would else be said to take the time of another's driver.
    A memory with an authority of its own goes after the others: its client is told of that by the environment of the
    whole process (weaviate_link), and no other store may connect by it.
    """
    settings = _settings(home)
    for name in names:
        with contextlib.suppress(LevaithanError, ImportError):  # for the looks to tell
            registry.load(name, settings)
    looks = [_Look(look, name) for name in names]
    last = [one for one in looks if one.name == MEMORY and registry.setting(settings, MEMORY, "ca_file")]
    first = [one for one in looks if one not in last]
    for one in first:
        one.begin()
    if last:
        for one in first:
            one.end()
        last[0].begin()
    for one in looks:
        yield one.answer()


def _settings(home: Home) -> Any:
    """None where they cannot be read: that, too, is for the looks to tell."""
    try:
        return lean.load(home.root)
    except LevaithanError:
        return None


class _Look(Generic[Answer]):
    """One store, in a thread that nobody waits for when the process is interrupted."""

    def __init__(self, look: Callable[[str], Answer], name: str) -> None:
        self.name = name
        self._look = look
        run = contextvars.copy_context().run  # of edge.once, which whoever looks may be within
        self._thread = threading.Thread(target=run, args=(self._run,), name=f"look-{name}", daemon=True)
        self._made: list[Answer] = []
        self._failed: BaseException | None = None

    def _run(self) -> None:
        try:
            with edge.once():
                self._made.append(self._look(self.name))
        except BaseException as error:  # raised again by whoever asked
            self._failed = error

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._thread.join()

    def answer(self) -> Answer:
        """What was seen, when it was. Raises what the look raised."""
        self.end()
        if self._failed is not None:
            raise self._failed
        return self._made[0]
