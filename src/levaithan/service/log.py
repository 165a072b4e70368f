"""The service's log: one JSON object a line in logs/service.log, without secrets, bounded in size.

A log that cannot be written (a full disk, a home that went) is no reason to stop: what is lost is counted. Environment
variables are never logged. The only module that imports structlog.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from levaithan.hot.bounded import head, short
from levaithan.hot.redact import redact_tree

if TYPE_CHECKING:
    from collections.abc import Callable

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LONGEST = 8000


class RotatingFile:
    """A file that is set aside as .1, .2 … at `max_bytes`; `backups` of them are kept. lost: lines not written."""

    def __init__(self, path: str, max_bytes: int, backups: int) -> None:
        self.path = path
        self.lost = 0
        self._max = max_bytes
        self._backups = backups
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Add one line. Never raises OSError."""
        with self._lock:
            try:
                self._write(data)
            except OSError:
                self.lost += 1

    def _write(self, data: bytes) -> None:
        """Opened for each line: lines are few, and a log that was moved or removed must come back."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and size + len(data) > self._max:
                self._rotate()
                os.close(descriptor)
                descriptor = os.open(self.path, flags, 0o600)
                size = 0
            if os.write(descriptor, data) < len(data):  # a full disk: half a line would spoil the next one too
                os.ftruncate(descriptor, size)
                self.lost += 1
        finally:
            os.close(descriptor)

    def _rotate(self) -> None:
        if not self._backups:
            Path(self.path).unlink()
            return
        for number in range(self._backups - 1, 0, -1):
            older = Path(f"{self.path}.{number}")
            if older.exists():
                older.replace(f"{self.path}.{number + 1}")
        Path(self.path).replace(f"{self.path}.1")


class _Sink:
    """What structlog calls to write a finished line."""

    def __init__(self, file: RotatingFile) -> None:
        self._file = file

    def msg(self, line: bytes) -> None:
        self._file.write(line + b"\n")

    debug = info = warning = error = msg


def without_secrets(_logger: Any, _method: str, event: Any) -> Any:
    """A structlog processor: takes secrets out of every text, and cuts what is endless."""
    clean, _count = redact_tree({key: _bounded(value) for key, value in event.items()})
    return clean


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else head(value, _LONGEST) + " … (cut)"
    return value if isinstance(value, (int, float, bool, type(None), dict, list)) else short(str(value), _LONGEST)


def _encoded(_logger: Any, _method: str, event: Any) -> bytes:
    try:
        return orjson.dumps(event, default=str)
    except orjson.JSONEncodeError:  # a lone surrogate
        return ascii(dict(event)).encode()


def make(file: RotatingFile, level: str = "info") -> Callable[..., None]:
    """A function say(what, level="info", **values) that logs to `file`."""
    logger = structlog.wrap_logger(
        _Sink(file),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            without_secrets,
            _encoded,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=True,
    )

    def say(what: str, level: str = "info", **values: Any) -> None:
        getattr(logger, level)(what, **values)

    return say
