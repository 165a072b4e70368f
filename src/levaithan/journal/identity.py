"""Which journal a folder holds, as its oldest segment that says so tells. Standard library only."""

from __future__ import annotations

from pathlib import Path

from levaithan.hot import segments

_LONGEST_HEADER = 1 << 16


def beginning(directory: str) -> tuple[str, int]:
    """The id of the journal in `directory` and the number of the oldest record it still has; ("", 0) when the oldest
    segment says neither, or there is none."""
    names = _names(directory)
    return _of(f"{directory}/{names[0]}") if names else ("", 0)


def journal_id(directory: str) -> str:
    """The id alone, from the oldest segment whose header can be read; "" for a journal that is not begun."""
    for name in _names(directory):
        found = _of(f"{directory}/{name}")[0]
        if found:
            return found
    return ""


def _names(directory: str) -> list[str]:
    try:
        return segments.listing(directory)[0]
    except OSError:
        return []


def _of(path: str) -> tuple[str, int]:
    try:
        with Path(path).open("rb") as file:
            line = file.readline(_LONGEST_HEADER)
    except OSError:
        return "", 0
    header = segments.decode(line.rstrip(b"\n")[segments.HASH + 1 :]) or {}
    if isinstance(header.get("journal"), str) and type(header.get("first")) is int:
        return header["journal"], header["first"]
    return "", 0
