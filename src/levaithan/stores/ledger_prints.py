"""Fingerprints of a ledger's records: of what its rows hold, whatever it is made of, and of what a record says.

A fingerprint is of all columns of a record's row, and of the opinions and the prompt that are made of the event alone.
Sessions, agents, calls and rollups are folds of many records: a rebuild makes them again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from levaithan.stores import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from levaithan.stores.roles import Delivery

PRINTED = {
    "events": ("id", "seq", "hash", "at_us", "event", "session_id", "agent_id", "agent_type", "prompt_id", "tool_name",
               "tool_use_id", "decision", "rule", "reason", "hook", "duration_us", "path", "client_version", "project",
               "cwd", "permission_mode", "machine", "canary", "sanitized", "body"),
    "journal_notes": ("seq", "hash", "kind", "at_us", "body"),
    "checkpoints": ("seq", "hash", "at_us", "size", "head", "key_id", "signature", "body"),
}  # fmt: skip
"""The columns of each table that a fingerprint is made of."""
OPINIONS = ("position", "at_us", "hook", "decision", "rule", "reason", "duration_us", "error")
"""Those of `decisions`, a row each, after the event's."""
PROMPT = ("at_us", "session_id", "agent_id", "prompt_id", "text")
"""Those of `prompts`, after these."""
_PLACES = {
    "events": (0, 1, *range(3, 26)),
    "journal_notes": (1, 2, 3, 4, 5), "checkpoints": (1, 2, 3, 4, 5, 6, 7, 8),
}  # fmt: skip
"""Where these are in the rows that stores.rows makes; a test compares."""
FIELD, ROW, NULL = "\x1f", "\x1e", "\\N"


def expected(delivery: Delivery) -> str | None:
    """The fingerprint of this record's rows; None for one that the ledger does not take."""
    made, _ = rows.build([delivery], 1 << 62)
    for table, some in (("events", made.events), ("journal_notes", made.notes), ("checkpoints", made.checkpoints)):
        for row in some:
            own = [row[place] for place in _PLACES[table]]
            beside = [one[1:] for one in sorted(made.decisions)] + [one[1:] for one in made.prompts]
            return printed(own, beside)
    return None


def printed(row: Sequence[Any], beside: Iterable[Sequence[Any]] = ()) -> str:
    """The fingerprint of a row's PRINTED columns, and of the OPINIONS, by position, and the PROMPT beside an event."""
    text = ROW.join(FIELD.join(NULL if one is None else str(one) for one in some) for some in (row, *beside))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
