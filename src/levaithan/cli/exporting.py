"""Streams an export to stdout or to a file that appears whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from levaithan.cli import output
from levaithan.cli.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.queries.asking import Answers, Filters

COLUMNS = (
    "at", "event", "session_id", "agent_id", "tool_name", "tool_use_id", "decision", "rule", "reason", "duration_ms",
    "tool_duration_ms", "hook", "seq", "id", "project", "path", "client_version", "agent_type", "prompt_id", "cwd",
    "machine", "canary", "sanitized",
)  # fmt: skip


def export(ledger: Answers, asked: Filters, fmt: str, target: str | None) -> int:
    """Write every event of `asked` as `fmt` (jsonl, csv) to the file `target` (None = stdout). Gives their number.

    Raises OSError when the file cannot be written; what was there before then stays.
    """
    from levaithan.queries import audit

    counter = _Counter(audit.export(ledger, asked))
    if target is None:
        _write(counter, fmt)
        output.flush()
        return counter.count
    final = Path(target)
    handle, name = tempfile.mkstemp(prefix=f".{final.name}.", dir=final.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            _redirected(file, counter, fmt)
        Path(name).replace(final)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return counter.count


def _redirected(file: TextIO, rows: _Counter, fmt: str) -> None:
    kept, sys.stdout = sys.stdout, file
    try:
        with Progress("exporting", "events") as bar:
            rows.bar = bar
            _write(rows, fmt)
        file.flush()
        os.fsync(file.fileno())
    finally:
        sys.stdout = kept


def _write(rows: _Counter, fmt: str) -> None:
    if fmt == "csv":
        output.csv_rows(rows, COLUMNS)
    else:
        output.jsonl(rows)


class _Counter:
    """Counts the rows that pass."""

    def __init__(self, rows: Iterator[dict[str, Any]]) -> None:
        self.rows = rows
        self.count = 0
        self.bar: Progress | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row in self.rows:
            self.count += 1
            if self.bar is not None:
                self.bar(self.count)
            yield row
