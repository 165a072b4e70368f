"""The journal's record of an event: the envelope that stores and queries rely on, and the input as it came.

Envelope values are always of the right type: a number where a string belongs becomes null and is said in `problem`.
Standard library only; docs/reference/journal-format.md is the promise.
"""

from __future__ import annotations

import time

from levaithan.hot.bounded import head, sha256_hex, short
from levaithan.hot.sessions import version_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.workflow import Context, Outcome

TEXTS = ("session_id", "agent_id", "agent_type", "prompt_id", "tool_name", "tool_use_id", "cwd", "permission_mode")
"""Payload fields that the envelope repeats."""
_MAX_TEXT = 4096
_MAX_RAW = 64 << 10
_SANE_NS = 120 * 1_000_000_000
_ATTENDED = {"0": False, "1": True}


class _Clock:
    """The last second's text: a service makes thousands of records in it."""

    second = -1
    text = ""


def timestamp(ns: int) -> str:
    """Nanoseconds since 1970 as `2026-11-23T15:04:05.123456Z`."""
    second, rest = divmod(ns // 1000, 1_000_000)
    if second != _Clock.second:
        _Clock.second, _Clock.text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    return f"{_Clock.text}.{rest:06d}Z"


def build(event: Event, outcome: Outcome, context: Context) -> dict[str, Any]:
    """The record of `event`, without seq and not yet redacted. What is null is left out."""
    decision = outcome.decision
    record: dict[str, Any] = {
        "v": 1,
        "kind": "event",
        "id": event.id,
        "at": timestamp(event.received_ns),
        "machine": context.machine,
        "event": event.name,
    }
    notes = _add_texts(record, event)
    record["decision"] = decision.verdict
    if decision.hook:
        for key, said in (("rule", decision.rule), ("reason", decision.reason), ("hook", decision.hook)):
            if said:
                record[key] = short(str(said), _MAX_TEXT * 2)
    record["duration_ms"] = _duration_ms(event)
    record["hooks"] = outcome.hooks
    record["path"] = event.path
    version = version_of(event, context)
    if version:
        record["client_version"] = version
    attended = _ATTENDED.get(event.env.get("attended", ""))
    if attended is not None:
        record["attended"] = attended
    if event.canary:
        record["canary"] = True
    if notes:
        record["problem"] = short("; ".join(notes), _MAX_TEXT)
    if event.problem and not event.payload:
        _add_raw(record, event.raw)
    else:
        record["payload"] = event.payload
    return record


def _add_texts(record: dict[str, Any], event: Event) -> list[str]:
    """Put the envelope's strings into `record`; gives what was odd about the event, in words."""
    notes = [event.problem, *event.notes] if event.problem else event.notes
    payload = event.payload
    for field in TEXTS:
        value = payload.get(field)
        if type(value) is str:
            if len(value) > _MAX_TEXT:
                notes = [*notes, f"{field} has {len(value)} characters"]
                value = head(value, _MAX_TEXT)
            if value:
                record[field] = value
        elif value is not None:
            notes = [*notes, f"{field} is not a string"]
    if event.project:
        record["project"] = short(event.project, _MAX_TEXT)
    return notes


def _duration_ms(event: Event) -> float:
    """Milliseconds from the client's begin (when its clock is sane) until now."""
    now = time.time_ns()
    begun = event.started_ns
    if begun is None or not 0 <= now - begun <= _SANE_NS:
        begun = event.received_ns
    return round(max(now - begun, 0) / 1_000_000, 3)


def _add_raw(record: dict[str, Any], raw: bytes) -> None:
    """The input that is no JSON object, as text: bytes that are no UTF-8 become lone surrogates, so nothing is lost."""
    if len(raw) > _MAX_RAW:
        record["raw_bytes"] = len(raw)
        record["raw_sha256"] = sha256_hex(raw)
        record["raw"] = head(raw[: 3 * _MAX_RAW].decode("utf-8", "surrogateescape"), _MAX_RAW)
    else:
        record["raw"] = raw.decode("utf-8", "surrogateescape")
