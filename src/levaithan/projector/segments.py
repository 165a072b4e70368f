"""The journal's files as sizes: whether a store has everything, and how much is left. Loads no reader and no driver."""

from __future__ import annotations

from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.stores.roles import Cursor


def segments(directory: str) -> list[Path]:
    """The journal's segments, the oldest first; none when there is no journal."""
    return sorted(path for path in Path(directory).glob("journal-*.log") if path.stem[8:].isdigit())


def at_end(directory: str, cursor: Cursor | None) -> bool:
    """Whether a store at `cursor` has all that the journal holds. Looks at sizes only, in microseconds."""
    present = segments(directory)
    if not present:
        return True
    if cursor is None:
        return all(path.stat().st_size == 0 for path in present)
    last = present[-1]
    return last.name == cursor.segment and last.stat().st_size == cursor.offset


def total_bytes(directory: str) -> int:
    """Bytes of all segments."""
    return bytes_left(directory, None)


def bytes_left(directory: str, cursor: Cursor | None) -> int:
    """Bytes of the journal that a store at `cursor` has not read."""
    left = 0
    for path in segments(directory):
        if cursor is not None and path.name < cursor.segment:
            continue  # asked at each batch, of a journal that may have hundreds
        try:
            size = path.stat().st_size
        except FileNotFoundError:  # pruned since it was listed
            continue
        if cursor is None or path.name > cursor.segment:
            left += size
        elif path.name == cursor.segment:
            left += max(0, size - cursor.offset)
    return left


def end(directory: str) -> tuple[str, int]:
    """The name of the journal's last segment and its bytes; ("", 0) where there is none."""
    try:
        last = segments(directory)[-1]
        return last.name, last.stat().st_size
    except (IndexError, FileNotFoundError):
        return "", 0
