"""From journal records to the ledger's rows: pure, the same for every adapter. No I/O, no SQLAlchemy.

Each table's rule is independent of order and repetition: events, prompts, decisions and notes are written once by
their id; sessions, agents and tool calls only ever take the least, the greatest, or the value that goes with one
of these. So a batch may come twice, late, or after its successors, and the tables end the same.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from levaithan.stores import poison
from levaithan.stores.roles import Delivery, Rejected
from levaithan.stores.times import Times

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = tuple[Any, ...]
TURN_BEGINS = frozenset({"SessionStart", "UserPromptSubmit", "Stop"})
"""After one of these, every tool call of the session's main thread has its PreToolUse after it too."""
OUTCOMES = {"PostToolUse": "ok", "PostToolUseFailure": "failed", "PermissionDenied": "denied", "PreToolUse": None}
"""The greater outcome wins (denied < failed < ok): what shows that a call ran outweighs what said it would not."""


_TELLS_OF_SESSION = TURN_BEGINS | {"SessionEnd", "PostModelSwitch"}


class Rows:
    """The rows of one batch, a list a table, in the column order of stores.schema."""

    def __init__(self) -> None:
        self.events: list[Row] = []
        self.notes: list[Row] = []
        self.checkpoints: list[Row] = []
        self.prompts: list[Row] = []
        self.decisions: list[Row] = []
        self.sessions: dict[str, list[Any]] = {}
        self.agents: dict[tuple[str, str], list[Any]] = {}
        self.calls: dict[str, list[Any]] = {}


def build(batch: Iterable[Delivery], max_field: int) -> tuple[Rows, list[Rejected]]:
    """The rows for `batch`, and what no store should take (see poison). `max_field` in bytes."""
    rows, rejected, times = Rows(), [], Times()
    for delivery in batch:
        record = delivery.record
        if record is None or delivery.problem:
            rejected.append(Rejected(delivery, delivery.problem or "no record"))
            continue
        body = delivery.body
        if (len(body) > max_field or b"\\u0000" in body) and (why := poison.problem(body, record, max_field)):
            rejected.append(Rejected(delivery, why))
            continue
        try:
            if record.get("kind") == "event":
                _event(rows, delivery, record, times)
            else:
                _note(rows, delivery, record, times)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            rejected.append(Rejected(delivery, f"not a record of format 1: {type(error).__name__}: {error}"))
    return rows, rejected


def _us(milliseconds: Any) -> int | None:
    return round(milliseconds * 1000) if isinstance(milliseconds, (int, float)) else None


_ENVELOPE = dict.fromkeys(
    ("session_id", "agent_id", "agent_type", "prompt_id", "tool_name", "tool_use_id", "decision", "rule", "reason",
     "hook", "path", "client_version", "project", "cwd", "permission_mode", "machine", "canary", "duration_ms",
     "payload", "hooks")
)  # fmt: skip
_pick = itemgetter("id", "event", "at", *_ENVELOPE)
"""One call in C instead of twenty look-ups: this is the hottest line of the projector."""


def _event(rows: Rows, delivery: Delivery, record: dict[str, Any], times: Times) -> None:
    (
        event_id, name, at, session, agent, agent_type, prompt_id, tool, call, decision, rule, reason, hook, path,
        version, project, cwd, mode, machine, canary, duration, payload, hooks,
    ) = _pick(_ENVELOPE | record)  # fmt: skip
    at_us = times.us(at)
    if not event_id or type(event_id) is not str:
        raise ValueError("id is not a text")
    canary = 1 if canary else 0
    row = (
        event_id, delivery.seq, delivery.journal, delivery.hash, at_us, name, session or None, agent or None,
        agent_type or None, prompt_id, tool or None, call or None, decision or None, rule or None, reason, hook,
        None if duration is None else _us(duration), path, version, project, cwd, mode, machine, canary,
        1 if delivery.sanitized else 0, delivery.body.decode(),
    )  # fmt: skip
    if type(payload) is not dict:
        payload = {}
    if session:
        known = rows.sessions.get(session)
        if (
            known is not None and known[2] <= at_us and known[10] == project and known[11] == version
            and known[12] == machine and known[13] == canary and name not in _TELLS_OF_SESSION
        ):  # fmt: skip
            known[2] = at_us
        else:
            _session(rows, session, name, at_us, payload, (project, version, machine, canary))
        if agent:
            _agent(rows, (session, agent), row[8], name, at_us, payload)
    if call and name in OUTCOMES:
        _call(rows, call, (row[6], row[7], row[10]), name, at_us, event_id, decision, payload)
    elif name == "UserPromptSubmit":
        rows.prompts.append((event_id, at_us, row[6], row[7], prompt_id, _text(payload.get("prompt"))))
    if hooks:
        _decisions(rows, hooks, row)
    elif decision and decision != "allow":
        rows.decisions.append((event_id, 0, at_us, hook, decision, rule, reason, row[16], None))
    rows.events.append(row)


def _decisions(rows: Rows, hooks: list[dict[str, Any]], event: Row) -> None:
    """A row for each hook that had an opinion or failed, and row 0 for the final decision of such an event."""
    event_id, at_us, spoke = event[0], event[4], False
    for number, hook in enumerate(hooks, 1):
        if "decision" in hook or "error" in hook:
            spoke = True
            rows.decisions.append(
                (event_id, number, at_us, hook.get("hook"), hook.get("decision"), hook.get("rule"),
                 hook.get("reason"), _us(hook.get("ms")), hook.get("error"))
            )  # fmt: skip
    if spoke or (event[12] and event[12] != "allow"):
        rows.decisions.append((event_id, 0, at_us, event[15], event[12], event[13], event[14], event[16], None))


def _text(value: Any) -> str | None:
    return value if type(value) is str and value else None


def _session(  # noqa: PLR0917 - called for every event: keywords would cost as much as the call
    rows: Rows, session: str, name: str, at_us: int, payload: dict[str, Any], facts: Row
) -> None:
    known = rows.sessions.get(session)
    if known is None:
        known = [session, at_us, at_us, None, None, None, None, None, None, None, *facts, None]
        rows.sessions[session] = known
    else:
        known[1], known[2] = min(known[1], at_us), max(known[2], at_us)
        known[10], known[11] = least(known[10], facts[0]), greatest(known[11], facts[1])
        known[12], known[13] = least(known[12], facts[2]), max(known[13], facts[3])
    if name in TURN_BEGINS:
        known[3] = least(known[3], at_us)
        known[14] = least(known[14], _text(payload.get("transcript_path")))
    if name == "SessionStart":
        if known[4] is None or at_us < known[4]:
            known[4], known[5] = at_us, _text(payload.get("source"))
        _model(known, at_us, payload.get("model"))
    elif name == "SessionEnd":
        if known[6] is None or at_us > known[6]:
            known[6], known[7] = at_us, _text(payload.get("reason"))
    elif name == "PostModelSwitch":
        _model(known, at_us, payload.get("to_model"))


def _model(known: list[Any], at_us: int, model: Any) -> None:
    if _text(model) and (known[8] is None or at_us > known[8]):
        known[8], known[9] = at_us, model


def _agent(  # noqa: PLR0917 - see _session
    rows: Rows, key: tuple[str, str], agent_type: str | None, name: str, at_us: int, payload: Any
) -> None:
    known = rows.agents.get(key)
    if known is None:
        known = rows.agents[key] = [*key, agent_type, at_us, at_us, None, None, None]
    known[2] = least(known[2], agent_type)
    known[3] = least(known[3], at_us)
    known[4] = greatest(known[4], at_us)
    if name == "SubagentStart":
        known[5] = least(known[5], at_us)
    elif name == "SubagentStop":
        known[6] = greatest(known[6], at_us)
        known[7] = least(known[7], _text(payload.get("agent_transcript_path")))


def _call(  # noqa: PLR0917 - see _session
    rows: Rows, call: str, who: Row, name: str, at_us: int, event_id: str, decision: str | None, payload: Any
) -> None:
    if name == "PreToolUse":
        outcome = "denied" if decision == "deny" or decision == "halt" else None  # noqa: PLR1714 - the faster spelling
        fresh = [call, *who, at_us, event_id, None, None, outcome, decision, None]
    else:
        fresh = [call, *who, None, None, at_us, event_id, OUTCOMES[name], None, _us(payload.get("duration_ms"))]
    known = rows.calls.get(call)
    if known is None:
        rows.calls[call] = fresh
        return
    if who != (known[1], known[2], known[3]):
        known[1:4] = [least(*pair) for pair in zip(known[1:4], who, strict=True)]
    known[4:6] = [least(*pair) for pair in zip(known[4:6], fresh[4:6], strict=True)]
    known[6:] = [greatest(*pair) for pair in zip(known[6:], fresh[6:], strict=True)]


def _note(rows: Rows, delivery: Delivery, record: dict[str, Any], times: Times) -> None:
    """A line of the journal about itself: a checkpoint, or a segment, repair, gap, prune, halt, note."""
    kind, at = record["kind"], record.get("at")
    if not kind or type(kind) is not str:
        raise ValueError("kind is not a text")
    at_us = None if at is None else times.us(at)
    journal, seq, body = delivery.journal, delivery.seq, delivery.body.decode()
    if kind == "checkpoint":
        get = record.get
        rows.checkpoints.append(
            (journal, seq, delivery.hash, at_us, get("size"), get("head"), get("key_id"), get("signature"), body)
        )
    else:
        rows.notes.append((journal, seq, delivery.hash, kind, at_us, body))


def least(one: Any, other: Any) -> Any:
    """The lesser of two values, None counting as absent (LEAST of the upserts)."""
    if one is None or other is None:
        return other if one is None else one
    return one if one <= other else other


def greatest(one: Any, other: Any) -> Any:
    """The greater of two values, None counting as absent (GREATEST of the upserts)."""
    if one is None or other is None:
        return other if one is None else one
    return one if one >= other else other
