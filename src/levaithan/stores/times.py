"""The journal's timestamps as microseconds. Standard library only, and little of it: readers load this."""

from __future__ import annotations

from datetime import UTC, datetime

FIRST_US = 1_420_070_400_000_000
"""The beginning of 2015. What is dated before it was recorded by a clock that was wrong, and is in no month."""


class Times:
    """Parses the journal's timestamps; remembers the last second seen, which most records share."""

    __slots__ = ("micros", "second")

    def __init__(self) -> None:
        self.second = ""
        self.micros = 0

    def us(self, at: str) -> int:
        """Microseconds since 1970 of an ISO 8601 time in UTC. Raises ValueError or TypeError for anything else."""
        if len(at) == 27 and at[26] == "Z" and at[19] == ".":
            head = at[:19]
            if head != self.second:
                self.micros = _micros(datetime.fromisoformat(head))
                self.second = head
            return self.micros + int(at[20:26])
        return _micros(datetime.fromisoformat(at))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(moment: datetime) -> int:
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def month_of(at_us: int) -> tuple[int, int]:
    """(year, month) in UTC of a time in microseconds; (0, 0) for one that is in no year of the calendar."""
    try:
        moment = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return 0, 0
    return moment.year, moment.month


def start_us(year: int, month: int) -> int:
    """Microseconds since 1970 at which a month begins; months beyond 1 to 12 count on into other years."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1_000_000
