"""Times of records as seconds since 1970: thousands of them lie in one second, so the last one's is kept.

Imports the standard library only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


class Moments:
    """Reads the times of one stream of records."""

    def __init__(self) -> None:
        self._text = ""
        self._second = 0.0

    def seconds(self, at: Any, otherwise: float) -> float:
        """The moment `at` ("2026-11-23T15:04:05.123456Z") in seconds since 1970; `otherwise` for what is none."""
        try:
            if at[:19] != self._text:
                self._second = datetime.fromisoformat(at[:19]).replace(tzinfo=UTC).timestamp()
                self._text = at[:19]
            return self._second + float("0" + at[19:-1]) if len(at) > 20 else self._second
        except (TypeError, ValueError, IndexError, OverflowError):
            return otherwise


def parsed(at: Any) -> float | None:
    """The moment of one ISO 8601 text, or the number that it is already; None for what is neither."""
    if type(at) in (int, float) and 0 < at < 1e11:
        return float(at)
    if type(at) is not str:
        return None
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
