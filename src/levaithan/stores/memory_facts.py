"""What one journal record says to the memory: a text to remember, or a session to forget; the same for every adapter.

Only prompts, outcomes, incidents and notes: a tool's call is the search's and the graph's. The journal is redacted
already. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from levaithan.stores import search_fields
from levaithan.stores.roles import Delivery, Rejected
from levaithan.stores.roles.memory import INCIDENT, NOTE, OUTCOME, PROMPT
from levaithan.stores.times import Times

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 8_000
"""Characters of a text that are kept; a vector is made of less."""
LONGEST_NAME = 1_000
"""Characters of a session, agent, project or machine."""
RECORD = "memory"
"""The kind of record in which `levaithan memory` writes down what a person had remembered or forgotten."""
_LAST = ("last_assistant_message",)
_EVENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "UserPromptSubmit": (PROMPT, ("prompt",)),
    "Stop": (OUTCOME, _LAST),
    "SubagentStop": (OUTCOME, _LAST),
    "StopFailure": (OUTCOME, ("error", "error_details", *_LAST)),
    "TaskCompleted": (OUTCOME, ("task_subject", "task_description")),
}
"""An event -> what its text is, and the keys of its payload that hold it."""
_REFUSED = ("deny", "halt")


@dataclass(slots=True, frozen=True)
class Memory:
    """One text to remember; see roles.memory.Remembered. seq and journal: where it stands."""

    id: str
    seq: int
    journal: str
    kind: str
    at_us: int
    text: str
    length: int
    session: str
    agent: str
    project: str
    machine: str

    def fingerprint(self) -> str:
        """A hash of all that is kept of it but its vector: that is made again from the text when there is a doubt."""
        return fingerprint(
            self.id, self.kind, self.at_us, self.text, self.length, self.session, self.agent, self.project, self.machine
        )


@dataclass(slots=True, frozen=True)
class Forget:
    """A session that is forgotten: all of it that stands before this record, and of other machines' journals all that
    was said until then."""

    id: str
    seq: int
    journal: str
    session: str
    until_us: int

    def covers(self, memory: Memory) -> bool:
        """Whether `memory` is forgotten by this."""
        if memory.session != self.session:
            return False
        return memory.seq < self.seq if memory.journal == self.journal else memory.at_us <= self.until_us

    def fingerprint(self) -> str:
        """A hash of all that is kept of it."""
        return fingerprint(self.id, "forget", self.until_us, self.session)


def fingerprint(*parts: str | int) -> str:
    """A hash of what is stored."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def of_record(record: dict[str, Any], journal: str, times: Times) -> Memory | Forget | None:
    """What a journal record says to the memory; None for most. Raises ValueError, TypeError and KeyError for a record
    that is none of format 1."""
    kind = record.get("kind")
    if kind == "event":
        return _of_event(record, journal, times)
    if kind == RECORD:
        return _of_person(record, journal, times)
    if kind == INCIDENT:
        texts = [_text(record.get(key)) for key in ("title", "text")]
        return _memory(record, journal, times, INCIDENT, texts)
    return None


def _of_event(record: dict[str, Any], journal: str, times: Times) -> Memory | None:
    known = _EVENTS.get(str(record.get("event")))
    if known is None or record.get("canary") or record.get("decision") in _REFUSED:
        return None
    kind, keys = known
    payload = record.get("payload")
    texts = [_text(payload.get(key)) for key in keys] if isinstance(payload, dict) else []
    return _memory(record, journal, times, kind, texts)


def _of_person(record: dict[str, Any], journal: str, times: Times) -> Memory | Forget | None:
    action, session = record.get("action"), _name(record.get("session_id"))
    if action == "add":
        return _memory(record, journal, times, NOTE, [_text(record.get("text"))])
    if action == "forget" and session:
        return Forget(_id(record), record["seq"], journal, session, times.us(record["at"]))
    return None


def _memory(record: dict[str, Any], journal: str, times: Times, kind: str, texts: list[str]) -> Memory | None:
    whole = "\n".join(dict.fromkeys(text for text in texts if text))
    if not whole:
        return None
    seq = record["seq"]
    if type(seq) is not int:
        raise TypeError("seq is not a number")
    names = [_name(record.get(key)) for key in ("session_id", "agent_id", "project", "machine")]
    return Memory(_id(record), seq, journal, kind, times.us(record["at"]), whole[:LONGEST], len(whole), *names)


def _id(record: dict[str, Any]) -> str:
    one = record["id"]
    if type(one) is not str or not one:
        raise TypeError("id is not a text")
    return search_fields.clean(one)[:LONGEST_NAME]


def _text(value: Any) -> str:
    return search_fields.clean(value).strip() if type(value) is str else ""


def _name(value: Any) -> str:
    return search_fields.clean(value)[:LONGEST_NAME] if type(value) is str else ""


def read(batch: Sequence[Delivery]) -> tuple[list[Memory], list[Forget], list[Rejected]]:
    """What each record of `batch` says, and what is no record at all. A text that other stores set aside for its
    characters or its length is cleaned and cut: it is here to be found, not to be an exact copy."""
    memories, forgets, rejected, times = [], [], list[Rejected](), Times()
    for one in batch:
        if one.record is None:
            rejected.append(Rejected(one, one.problem or "no record"))
            continue
        try:
            found = of_record(one.record, one.journal, times)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            rejected.append(Rejected(one, f"not a record of format 1: {type(error).__name__}: {error}"))
            continue
        if isinstance(found, Memory):
            memories.append(found)
        elif found is not None:
            forgets.append(found)
    return memories, forgets, rejected
