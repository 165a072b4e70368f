"""What may wait for others is done in a thread: a store that hangs, or a command of the platform, must not keep the
monitor from looking. What came of it is taken by the caller's own thread, which alone writes the journal."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from levaithan.actions import records

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any

Made = TypeVar("Made")
_THREADS = 2


def attempt(work: Callable[[], Made]) -> tuple[Made | None, str]:
    """(what `work` made, ""), or (None, why it did not, in words)."""
    try:
        return work(), ""
    except Exception as problem:  # whatever a deed meets: it has failed, which is recorded
        return None, records.said(problem)


class Jobs:
    """The jobs under way, one a run."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._under_way: dict[str, tuple[Future[tuple[Any, str]], Callable[[Any, str], object]]] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._under_way

    def __bool__(self) -> bool:
        return bool(self._under_way)

    def add(self, name: str, work: Callable[[], Made], then: Callable[[Any, str], object]) -> None:
        """Begin `work`; `then` gets (what it made, "") or (None, why not) at a later `collect`."""
        self._pool = self._pool or ThreadPoolExecutor(_THREADS, "levaithan-action")
        self._under_way[name] = (self._pool.submit(attempt, work), then)

    def collect(self) -> None:
        """Take what has ended."""
        for name, (future, then) in list(self._under_way.items()):
            if future.done():
                del self._under_way[name]
                then(*future.result())

    def close(self) -> None:
        """Begin no more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
