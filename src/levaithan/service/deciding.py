"""From a request's bytes to the bytes of its answer: parse, gate, render; and the answer when the journal fails.

The same functions as in the one-shot decide here, only with a faster JSON. Runs in the main thread alone: the gate's
time limit is a signal. Imports the hot path and orjson.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.hot import contract, plain_json
from levaithan.hot.event import parse
from levaithan.hot.opinion import Decision
from levaithan.hot.wire import pack_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.hot.event import Event
    from levaithan.hot.gate import Gate
    from levaithan.hot.opinion import Answer
    from levaithan.hot.workflow import Outcome

_ZERO_DIGITS = bytes(48 if 48 <= byte <= 57 else byte for byte in range(256))
_LONG_NUMBER = b"0" * 19
_WARM = b'{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"true"}}'
SILENCE = pack_answer(0, b"", b"")
"""The answer to most events: allowed, nothing to say."""


def loads(data: bytes) -> Any:
    """JSON as exactly as the standard library reads it. orjson makes floats of whole numbers over 64 bits, so an input
    with a long run of digits is read slowly. Raises ValueError for what orjson refuses; `parse` then reads it anew."""
    if _LONG_NUMBER in data.translate(_ZERO_DIGITS):
        return plain_json.loads(data)
    return orjson.loads(data)


class Taken:
    """A decided event on its way through the journal. owner: who gets the answer."""

    __slots__ = ("answer", "body", "guard", "id", "name", "outcome", "owner")

    def __init__(self, owner: Any, event_id: str, body: bytes, answer: bytes, outcome: Outcome) -> None:
        self.owner = owner
        self.id = event_id
        self.body = body
        self.answer = answer
        self.outcome = outcome
        self.name = ""
        self.guard = False


class Decider:
    """Decides requests. decisions, paths, events: counts of what was decided, for status."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.decisions: Counter[str] = Counter()
        self.paths: Counter[str] = Counter()
        self.repeated = 0
        self.unrecorded = 0

    def early(self, header: Mapping[str, str], payload: bytes) -> Event | None:
        """The event of a request that is better decided a moment later: near a limit, once the client has written down
        what its session spent. None: decide it now."""
        if self.gate.flushes is None or header.get("event") != "PreToolUse":
            return None
        event = parse(header, payload, loads)
        return event if self.still_early(event) else None

    def still_early(self, event: Event) -> bool:
        """Whether it is better decided another moment later; false after a while at the latest."""
        flushes = self.gate.flushes
        return flushes is not None and flushes.early(event)

    def decide(self, owner: Any, header: Mapping[str, str], payload: bytes) -> Taken:
        """Decide one event. Never raises for what is in it."""
        event = parse(header, payload, loads)
        outcome, body = self.gate.decide(event)
        decision = outcome.decision
        self.decisions[decision.verdict] += 1
        self.paths[event.path if event.path in ("native", "python") else "other"] += 1
        taken = Taken(owner, event.id, body, SILENCE, outcome)
        taken.name = event.name
        taken.guard = event.guard
        if decision.verdict != "allow" or outcome.notices or decision.context or decision.granted:
            taken.answer = packed(contract.render(event.name, decision, outcome.notices))
        return taken

    def warm_up(self) -> None:
        """Load rules, hooks and the shell's grammar before the first event needs them. Leaves no trace."""
        self.gate.decide(parse({"event": "PreToolUse"}, _WARM, loads))

    def again(self, taken: Taken, recorded: bytes) -> bytes:
        """The answer to an event that somebody else recorded already: what the record says."""
        self.repeated += 1
        try:
            name, decision = contract.recorded(recorded, loads)
            return packed(contract.render(name, decision))
        except (ValueError, KeyError, AttributeError, TypeError):
            return taken.answer  # another kind of record under this id: our own decision is as good

    def without_record(self, taken: Taken, error: BaseException) -> bytes:
        """The answer to an event that could not be recorded: as journal_failure says, and the user is told."""
        self.unrecorded += 1
        words = str(error) or type(error).__name__
        why = f"LevAIthan could not record this {taken.name} ({words})"
        decision, notices = taken.outcome.decision, list(taken.outcome.notices)
        if self.gate.conf.journal_failure == "deny" and taken.guard:
            if decision.verdict not in ("deny", "halt"):
                reason = f"{why}, so it is refused. {contract.NEXT_STEP}"
                decision = Decision("deny", reason, "journal-failure", "journal")
        else:
            notices.append(f"{why}; what was decided holds. {contract.NEXT_STEP}")
        answer = contract.render(taken.name, decision, notices)
        answer.stderr = answer.stderr or (why + ". " + contract.NEXT_STEP + "\n").encode("utf-8", "backslashreplace")
        return packed(answer)


def packed(answer: Answer) -> bytes:
    """An answer as a frame."""
    return pack_answer(answer.exit_code, answer.stdout, answer.stderr)
