"""Moments as people write them (2h, today, 2026-11-23T15:04), to microseconds UTC. Standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from levaithan.errors import UsageProblem

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+", re.IGNORECASE)
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.IGNORECASE)
_FORMS = "30s, 10m, 2h, 1d, 1h30m, now, today, yesterday, 2026-11-23, 2026-11-23T15:04 (local) or ...Z (UTC)"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True, frozen=True)
class Window:
    """From `since_us` (included) to `until_us` (not included), microseconds since 1970 UTC; None = no bound."""

    since_us: int | None
    until_us: int | None

    def __str__(self) -> str:
        return f"{_shown(self.since_us, 'the beginning')} to {_shown(self.until_us, 'now')} (UTC)"


def _shown(moment_us: int | None, otherwise: str) -> str:
    return otherwise if moment_us is None else iso(moment_us)


def iso(moment_us: int) -> str:
    """A moment as 2026-11-23T15:04:05.123456Z, as the journal writes it."""
    return (_EPOCH + timedelta(microseconds=moment_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def span(text: str, option: str) -> timedelta:
    """A length of time such as 30m or 1h30m. Raises UsageProblem, naming `option`."""
    compact = text.strip().lower()
    if not _SPAN.fullmatch(compact):
        raise UsageProblem(f"{option} {text!r} is no length of time.", fix="write it as 30s, 10m, 2h, 1d or 1h30m")
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(compact)))
    except OverflowError:
        raise UsageProblem(
            f"{option} {text!r} is too long a time.", fix="give a shorter one, or leave it out"
        ) from None


def moment(text: str, now: datetime, option: str) -> datetime:
    """The moment that `text` means at `now` (aware). Raises UsageProblem, naming `option`."""
    word = text.strip().lower()
    local = now.astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    named = {"now": local, "today": midnight, "yesterday": midnight - timedelta(days=1)}.get(word)
    try:
        if named is None and _SPAN.fullmatch(word):
            named = now - span(word, option)
        if named is None:
            named = datetime.fromisoformat(text.strip().upper().replace(" ", "T"))
        return named.astimezone(UTC)  # a moment without a zone is local time, as `today` is
    except (ValueError, OverflowError, OSError):
        raise UsageProblem(f"{option} {text!r} is no moment in time.", fix=f"write it as one of: {_FORMS}") from None


def window(since: str | None, until: str | None, now: datetime | None = None) -> Window:
    """The window of `--since` and `--until`. Raises UsageProblem when it is none, or ends before it begins."""
    at = now or datetime.now(UTC)
    begin = _us(moment(since, at, "--since")) if since else None
    end = _us(moment(until, at, "--until")) if until else None
    if begin is not None and end is not None and begin >= end:
        raise UsageProblem(
            f"The window ends ({iso(end)}) before it begins ({iso(begin)}).", fix="swap --since and --until"
        )
    return Window(begin, end)


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
