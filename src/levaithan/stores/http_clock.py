"""What an HTTP answer tells of its server's clock: the header `Date`, in whole seconds. Standard library only."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

_HALF_S = 0.5


def skew(date: str | None, before: float, after: float) -> tuple[float | None, float]:
    """(how far the server's clock is before ours, how far that may be off either way), in milliseconds; (None, 0.0)
    where there is no date.

    before, after: by our clock, when it was asked and when it had answered (seconds since 1970). A date has lost its
    part of a second, so the middle of that second is taken.
    """
    try:
        told = parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError, OverflowError):
        return None, 0.0
    return (told + _HALF_S - (before + after) / 2) * 1000, (_HALF_S + (after - before) / 2) * 1000
