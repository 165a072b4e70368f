"""Slow questions: each that took a store over SLOW_S, whoever asked it, is a line of `slow-queries.log` of the home.

The monitor counts the lines (metrics.log_lines). A line tells the store, the operation, the milliseconds and the kind
of process; never the question or its values, which may be a person's words. What counts itself (the projector's
batches, the monitor's own looks) or waits on purpose asks `unsaid`. May not import a driver.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.hot.halts import stamp
from levaithan.hot.plain_json import dumps

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOW_S = {"query": 0.25, "put": 1.0}
"""What takes longer counts as slow; both are edges of the histogram of latencies."""
FILE = "slow-queries.log"
MOST_BYTES = 256 << 10
"""Beyond that it is set aside as `.1`, and the one before is gone."""
_unsaid: ContextVar[bool] = ContextVar("unsaid", default=False)


@contextlib.contextmanager
def unsaid() -> Iterator[None]:
    """Within it this thread's questions are not told: they are counted elsewhere, or slow on purpose."""
    token = _unsaid.set(True)
    try:
        yield
    finally:
        _unsaid.reset(token)


def asked(store: str, seconds: float, logs: str) -> None:
    """A question to `store` took so long; `logs`: the folder of the home's logs, "" for none. Never raises: a question
    that was answered must not fail by what is noted about it."""
    if seconds <= SLOW_S["query"] or not logs or _unsaid.get():
        return
    told = {
        "at": stamp(time.time_ns() // 1000), "level": "warning", "component": "stores", "event": "slow question",
        "store": store, "operation": "query", "ms": round(seconds * 1000), "process": _process(),
    }  # fmt: skip
    text = dumps(told)
    with contextlib.suppress(OSError):
        _append(Path(logs, FILE), (text.encode() if isinstance(text, str) else text) + b"\n")


def _append(path: Path, line: bytes) -> None:
    """One write, so that lines of several processes stay whole. Raises OSError."""
    descriptor = os.open(
        path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600
    )
    try:
        os.write(descriptor, line)
        full = os.fstat(descriptor).st_size >= MOST_BYTES
    finally:
        os.close(descriptor)
    if full:
        path.replace(path.with_name(FILE + ".1"))


def _process() -> str:
    """service, projector or monitor, by the module that this process runs; else the name of its command."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    parts = (spec.name if spec is not None else "").split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "levaithan" else Path(sys.argv[0]).name[:64] or "python"
