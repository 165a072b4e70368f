"""Durations as Prometheus writes them: 30s, 5m, 1h30m, 3d. Imports nothing of ours."""

from __future__ import annotations

import re

_UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_FORM = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)


def seconds(words: object) -> float:
    """The seconds of "5m"; 0 of "0" or "0s". Raises ValueError for anything that is not such a duration."""
    if words in ("0", 0):
        return 0.0
    found = _FORM.fullmatch(words) if isinstance(words, str) and words else None
    if found is None:
        raise ValueError(f'{words!r} is no duration such as "30s", "5m" or "3d"')
    return sum(int(count) * unit for count, unit in zip(found.groups(), _UNITS.values(), strict=True) if count)


def promql(value: float) -> str:
    """The duration in one unit, the largest that holds it whole: 90m, never 1h30m; 0s for nothing."""
    for name, unit in _UNITS.items():
        if name != "w" and value and value % unit == 0:
            return f"{int(value // unit)}{name}"
    return f"{int(value)}s"
