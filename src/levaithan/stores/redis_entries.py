"""From journal records to the live stream's entries: pure, no driver. Texts are cut and made harmless, none is a reason
to leave an event out; only what is no event record at all is a dead letter."""

from __future__ import annotations

import hashlib
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from levaithan.stores.redis_stream_lua import NAMES
from levaithan.stores.roles import Delivery, Rejected
from levaithan.stores.times import Times

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LONGEST = 200
LONGEST_REASON = 500
"""Characters."""
MINUTE_US = 60_000_000
COUNTED = {"4": "event", "8": "decision", "7": "tool"}
"""Position of a field in NAMES, from 1, that is counted by the minute -> under which name."""
_TEXTS = ("id", "at", "machine", "event", "session_id", "agent_id", "tool_name", "decision", "rule")
_pick = itemgetter(*_TEXTS)
_BARE = dict.fromkeys(_TEXTS, "")

Entry = list[Any]
"""[seq, minute, then the fields in the order of NAMES]"""


def build(batch: Iterable[Delivery]) -> tuple[list[Entry], list[Rejected]]:
    """The entries of the events of `batch`, by seq, and what is no record. Other records (notes, headers) have none."""
    entries: list[Entry] = []
    rejected: list[Rejected] = []
    times = Times()
    for one in batch:
        if one.record is None:
            rejected.append(Rejected(one, one.problem or "no record"))
        elif one.record.get("kind") == "event":
            try:
                entries.append(entry(one.seq, one.record, times))
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
                why = f"not a record of format 1: {type(error).__name__}: {error}"
                rejected.append(Rejected(one, why))
    entries.sort(key=itemgetter(0))
    return entries, rejected


def entry(seq: int, record: Mapping[str, Any], times: Times) -> Entry:
    """One event's. Raises ValueError, TypeError for a record without id or time."""
    texts = _pick(_BARE | record)  # type: ignore[operator]
    if not texts[0] or type(texts[0]) is not str:
        raise ValueError("id is not a text")
    minute = times.us(texts[1]) // MINUTE_US
    made: Entry = [seq, minute]
    made += [one if type(one) is str and len(one) <= LONGEST else text(one, LONGEST) for one in texts]
    reason, duration = record.get("reason"), record.get("duration_ms")
    made.append(text(reason, LONGEST_REASON) if reason else "")
    made.append(repr(duration) if type(duration) in (int, float) else "")
    return made


def text(value: Any, most: int) -> str:
    """`value` where it is a text, of at most `most` characters; else ""."""
    if type(value) is not str:
        return ""
    return value if len(value) <= most else value[: most - 1] + "…"


def harmless(entries: Iterable[Entry]) -> list[Entry]:
    """The same with lone surrogates replaced, which no UTF-8 has."""
    return [[_mended(one) if type(one) is str else one for one in entry] for entry in entries]


def fields(made: Entry, journal: str) -> dict[str, str]:
    """An entry as it stands in the stream."""
    stored = {name: _mended(value) for name, value in zip(NAMES, made[2:], strict=True)}
    return stored | {"journal": journal, "seq": str(made[0])}


def fingerprint(stored: Mapping[str, str]) -> str:
    """A hash of all that an entry says, whatever its fields are."""
    told = "\x1e".join(f"{name}\x1f{stored[name]}" for name in sorted(stored))
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:32]


def _mended(value: str) -> str:
    return value if value.isascii() else value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
