"""The journal's timestamps as microseconds. Standard library only, and little of it: readers load this."""

from __future__ import annotations

from datetime import UTC, datetime


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
