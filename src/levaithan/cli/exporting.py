"""Streams an export to stdout or to a file that appears whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from levaithan.cli import output
from levaithan.cli.progress import Progress
from levaithan.errors import UsageProblem

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

    A file appears whole or not at all. What is no file (a device, a pipe) is written to as it is, never replaced; a
    link is followed. Raises UsageProblem for a folder, OSError when `target` cannot be written: it stays as it was.
    """
    from levaithan.queries import audit

    counter = _Counter(audit.export(ledger, asked))
    if target is None:
        _write(counter, fmt)
        output.flush()
        return counter.count
    named = Path(target)
    if named.is_dir():
        raise UsageProblem(f"{target} is a folder.", fix=f"name a file in it, such as {named / 'events.jsonl'}")
    if named.exists() and not named.is_file():
        with named.open("w", encoding="utf-8", errors="backslashreplace") as file:
            _redirected(file, counter, fmt)
    else:
        _put_whole(Path(os.path.realpath(named)), target, counter, fmt)
    return counter.count


def _put_whole(final: Path, target: str, counter: _Counter, fmt: str) -> None:
    """Write beside `final`, then rename. `target`: what the person called it, for an error."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{final.name}.", dir=final.parent)
    except OSError as problem:  # the name that was asked for, not that of a temporary file
        raise OSError(problem.errno, problem.strerror, target) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            _redirected(file, counter, fmt)
        Path(name).replace(final)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _redirected(file: TextIO, rows: _Counter, fmt: str) -> None:
    kept, sys.stdout = sys.stdout, file
    try:
        with Progress("exporting", "events") as bar:
            rows.bar = bar
            _write(rows, fmt)
        file.flush()
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
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
