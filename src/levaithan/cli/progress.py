"""A progress bar for what takes over a second: on a terminal only, on stderr, gone when done."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

AFTER_S = 1.0


class Progress:
    """`with Progress("verifying") as bar: bar(done, total)`; total None = unknown. rich loads only when it shows."""

    def __init__(self, words: str, unit: str = "") -> None:
        self._words = words
        self._unit = unit
        self._begun = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int | None = None) -> None:
        """`done` of `total` is done; cheap to call often."""
        if self._bar is None:
            if time.monotonic() - self._begun < AFTER_S or not sys.stderr.isatty():
                return
            self._open()
        self._bar.update(self._task, completed=done, total=total)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(self._unit)]
        self._bar = Bar(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
        self._bar.start()
        self._task = self._bar.add_task(self._words, total=None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
