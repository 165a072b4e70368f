"""Keep the journal within its bound: whole oldest segments go, and only what every store has.

What is removed is recorded first, with the last number and hash, so that the rest still verifies. Imports the journal's
modules and the hot path.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.hot import segments
from levaithan.hot.journal import Journal
from levaithan.journal import checkpoints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.journal.read import Position


@dataclass(slots=True)
class Pruned:
    """What was removed (segment names, bytes), the bytes that are left, and what keeps the rest there, in words."""

    removed: list[str] = field(default_factory=list)
    bytes: int = 0
    left: int = 0
    held_by: list[str] = field(default_factory=list)


def prune(
    directory: str,
    max_bytes: int,
    delivered: Mapping[str, Position | None],
    journal: Journal | None = None,
    *,
    last: str = "",
) -> Pruned:
    """Remove the oldest segments until the journal has at most `max_bytes` (0 = no bound).

    delivered: how far each store has read; a segment that one of them has not read whole stays. journal: the writer
    to use, so that its process sees its own prune records. last: no segment after it goes. Raises OSError.
    """
    done = Pruned()
    names = segments.listing(directory)[0]
    sizes = {name: Path(directory, name).stat().st_size for name in names}
    done.left = sum(sizes.values())
    if not max_bytes or done.left <= max_bytes:
        return done
    writer = journal or Journal(directory)
    for name, following in itertools.pairwise(names):
        if done.left <= max_bytes or (last and name > last):
            break
        done.held_by = _held(name, sizes[name], delivered)
        if done.held_by:
            break
        record = _record(directory, name, following, sizes[name])
        if record is None:
            done.held_by = [f"the header of {following} cannot be read: run `levaithan journal verify`"]
            break
        _remove(writer, name, record)
        done.removed.append(name)
        done.bytes, done.left = done.bytes + sizes[name], done.left - sizes[name]
    if done.left > max_bytes and not done.held_by and len(segments.listing(directory)[0]) == 1:
        done.held_by = [f"the segment that is being written is {sizes[names[-1]]} bytes by itself"]
    if done.removed:
        _thin(directory)
    return done


def _thin(directory: str) -> None:
    """Drop the checkpoints of what is gone from the file beside the segments; too many in it are only passed over."""
    with contextlib.suppress(OSError):
        checkpoints.thin(directory, (segments.first_of(segments.listing(directory)[0][0]) or 1) - 1)


def _remove(writer: Journal, name: str, record: dict[str, Any]) -> None:
    """Say it, durably, then do it."""
    writer.append([("", segments.encode(record))])
    writer.sync(force=True)
    Path(writer.directory, name).unlink()
    _sync_folder(writer.directory)


def _held(name: str, size: int, delivered: Mapping[str, Position | None]) -> list[str]:
    """The stores that have not read the segment whole."""
    held = []
    for store, position in delivered.items():
        if position is None or position.segment < name:
            held.append(f"the {store} store has read nothing of {name}: see `levaithan status`")
        elif position.segment == name and position.offset < size:
            held.append(
                f"the {store} store has read {position.offset} of {size} bytes of {name}: see `levaithan status`"
            )
    return held


def _record(directory: str, name: str, following: str, size: int) -> dict[str, Any] | None:
    """What is said of a segment before it goes: its last number and hash are those the next one's header names."""
    with Path(directory, following).open("rb") as file:
        header = segments.decode(file.readline(1 << 20).rstrip(b"\n")[segments.HASH + 1 :])
    if not header or header.get("kind") != "segment" or not isinstance(header.get("prev"), str):
        return None
    return {
        "v": 1,
        "kind": "prune",
        "at": segments.now(),
        "segment": name,
        "first": segments.first_of(name),
        "last": int(header["first"]) - 1,
        "head": header["prev"],
        "bytes": size,
    }


def _sync_folder(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
