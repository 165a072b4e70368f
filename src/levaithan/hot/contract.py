"""Claude Code's side of the contract: a Decision as what it must read on stdout, stderr and as exit code.

The types that go through the gate live in event.py and are named here too, so that hooks have one place to import from.
Standard library only, and lean: the one-shot path loads this while Claude Code waits.
"""

from __future__ import annotations

from levaithan.hot.catalogue import EVENTS, GUARDS
from levaithan.hot.event import CANARY, Event, parse
from levaithan.hot.opinion import VERDICTS, Answer, Decision, Opinion
from levaithan.hot.plain_json import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

__all__ = (
    "CANARY",
    "VERDICTS",
    "Answer",
    "Decision",
    "Event",
    "Opinion",
    "bad_input",
    "last_resort",
    "parse",
    "recorded",
    "render",
)

MAX_TEXT = 9_000
"""UTF-16 units of one string in an answer: Claude Code spills strings over 10,000 to a file."""
NEXT_STEP = "Next step, in a terminal: `levaithan doctor --fix`, then try again"


def bad_input(event: Event) -> Decision:
    """The decision on an event whose input cannot be judged: deny on a guard, allow elsewhere."""
    if not event.guard:
        return Decision(hook="contract")
    reason = f"LevAIthan could not read this {event.name} ({event.problem}), so it is refused. {NEXT_STEP}"
    return Decision("deny", reason, "bad-input", "contract")


def recorded(body: bytes, loads: Callable[[bytes], Any] = loads) -> tuple[str, Decision]:
    """(event name, decision) of a journal record's body, to answer a repeated request as the first time.

    Raises ValueError when `body` is no such record.
    """
    record = loads(body)
    if not isinstance(record, dict) or record.get("decision") not in VERDICTS:
        raise ValueError("the record has no decision")
    decision = Decision(record["decision"], record.get("reason"), record.get("rule"), record.get("hook"))
    hooks = record.get("hooks") or ()
    said = [hook["context"] for hook in hooks if hook.get("context")]
    decision.granted = any(hook.get("granted") and hook.get("hook") == decision.hook for hook in hooks)
    decision.context = "\n".join(said) or None
    return record.get("event") or "", decision


def render(event_name: str, decision: Decision, notices: Sequence[str] = ()) -> Answer:
    """What Claude Code must be given for `decision` on `event_name`; `notices` are shown to the user.

    allow without context or notices is silence, never a permission that the user would have been asked for; but what a
    person has granted (Decision.granted) is said, or the client would ask or refuse once more.
    """
    verdict = decision.verdict
    if verdict == "allow" and not notices and not decision.context and not decision.granted:
        return Answer()
    spec = EVENTS.get(event_name)
    way = spec.answer if spec else "none"
    if way == "exit2" and verdict in ("deny", "ask"):  # a halt is said in JSON: exit 2 would keep a teammate working
        return Answer(2, b"", _plain(decision.reason or "denied"))
    said = verdict != "allow" or (decision.granted and way == "permission")
    output = _WAYS[way](event_name, verdict, _bounded(decision.reason or verdict)) if said else {}
    if verdict == "halt":
        output["continue"] = False
        output["stopReason"] = _bounded(decision.reason or "halted")
    if decision.context and spec and spec.context:
        special = output.setdefault("hookSpecificOutput", {"hookEventName": event_name})
        special["additionalContext"] = _bounded(decision.context)
    if notices and spec:
        output["systemMessage"] = _bounded("\n".join(notices))
    return Answer(0, dumps(output).encode("ascii") + b"\n") if output else Answer()


def _permission(event_name: str, verdict: str, reason: str) -> dict[str, Any]:
    permission = verdict if verdict in ("ask", "allow") else "deny"
    return {
        "hookSpecificOutput": {
            "hookEventName": event_name,
            "permissionDecision": permission,
            "permissionDecisionReason": reason,
        }
    }


def _request(event_name: str, verdict: str, reason: str) -> dict[str, Any]:
    if verdict == "ask":
        return {}  # the user is being asked already
    decision: dict[str, Any] = {"behavior": "deny", "message": reason}
    if verdict == "halt":
        decision["interrupt"] = True
    return {"hookSpecificOutput": {"hookEventName": event_name, "decision": decision}}


def _block(event_name: str, verdict: str, reason: str) -> dict[str, Any]:
    if verdict == "halt" and event_name in ("Stop", "SubagentStop"):
        return {}  # a block here means "go on", the opposite of a halt
    return {"decision": "block", "reason": reason}


def _decline(event_name: str, _verdict: str, reason: str) -> dict[str, Any]:
    return {"reason": reason, "hookSpecificOutput": {"hookEventName": event_name, "action": "decline"}}


def _nothing(_event_name: str, _verdict: str, _reason: str) -> dict[str, Any]:
    return {}


_WAYS = {
    "permission": _permission,
    "request": _request,
    "block": _block,
    "decline": _decline,
    "exit2": _nothing,
    "none": _nothing,
}


def last_resort(event_name: str, why: str) -> Answer:
    """The answer when nothing could be decided: exit 2 with the reason on a guard, silence elsewhere.

    PermissionRequest ignores exit 2, so that one is denied in JSON.
    """
    if event_name not in GUARDS:
        return Answer()
    reason = f"LevAIthan refuses this {event_name}: it could not be checked ({why}). {NEXT_STEP}"
    if event_name == "PermissionRequest":
        return render(event_name, Decision("deny", reason))
    return Answer(2, b"", _plain(reason))


def _plain(text: str) -> bytes:
    return _bounded(text).encode("utf-8", "backslashreplace") + b"\n"


def _bounded(text: str) -> str:
    """`text` in at most MAX_TEXT UTF-16 units, the way JavaScript counts."""
    if len(text) * 2 <= MAX_TEXT:
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= MAX_TEXT * 2:
        return text
    return units[: (MAX_TEXT - 10) * 2].decode("utf-16-le", "surrogatepass") + " … (cut)"
