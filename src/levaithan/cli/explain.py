"""One call in words, for `audit show`: what was asked, what was decided and why, what came of it, how long it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.cli import output, table
from levaithan.cli.text import clean, cut

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 2000
_OUTCOMES = {
    "ok": "it ran",
    "failed": "it ran and failed",
    "denied": "it did not run",
    "unknown": "no end of it was seen (denied, still running, or the session ended)",
}


def lines(call: dict[str, Any]) -> Iterator[str]:
    """The explanation of what queries.audit.show gave, line by line, safe for a terminal."""
    events = call["events"]
    first = events[0] if events else {}
    yield from table.facts(
        [
            ("call", call.get("tool_use_id") or first.get("id")),
            ("what", call.get("tool_name") or first.get("tool_name") or first.get("event")),
            ("session", call.get("session_id") or first.get("session_id")),
            ("agent", call.get("agent_id") or first.get("agent_id") or "main thread"),
            ("project", first.get("project")),
            ("input", _input(events)),
        ]
    )
    yield ""
    yield from table.facts(
        [
            ("decision", call.get("decision")),
            ("reason", call.get("reason")),
            ("rule", call.get("rule")),
            ("by", call.get("hook")),
            ("outcome", _OUTCOMES.get(call.get("outcome", ""), call.get("outcome"))),
            ("to decide", _ms(call.get("decision_ms"))),
            ("to run", _ms(call.get("tool_duration_ms"))),
        ]
    )
    if call.get("bypassed"):
        certain = "the guard was bypassed" if call["bypass"]["certain"] else "the guard may have been bypassed"
        yield f"\nWARNING: {certain}: {clean(call['bypass']['why'])}. Next: run `levaithan doctor`."
    yield ""
    yield "events"
    for event in events:
        yield from _event(event)


def _event(event: dict[str, Any]) -> Iterator[str]:
    words = [event["at"], event["event"], event["decision"], _ms(event["duration_ms"]), event.get("path")]
    yield "  " + "  ".join(clean(str(word)) for word in words if word)
    if event.get("problem"):
        yield f"      problem: {clean(str(event['problem']))}"
    hooks = [_opinion(hook) for hook in event["hooks"] if isinstance(hook, dict)]
    kept = [name for name in ("hook", "decision", "ms", "rule", "said") if any(row[name] for row in hooks)]
    room = table.terminal_width()
    for number, line in enumerate(table.render(hooks, kept, room - 6 if room else None) if hooks else []):
        if number:
            yield f"      {line}"


def _opinion(hook: dict[str, Any]) -> dict[str, object]:
    error = f"failed: {hook['error']}" if hook.get("error") else None
    took = hook.get("ms")
    return {
        "hook": hook.get("hook"), "decision": hook.get("decision") or "", "rule": hook.get("rule") or "",
        "ms": _ms(took if isinstance(took, (int, float)) else None) or "", "said": error or hook.get("reason") or "",
    }  # fmt: skip


def _input(events: list[dict[str, Any]]) -> str | None:
    """What was asked for: the command or path by itself, anything else as JSON."""
    for event in events:
        payload = event.get("payload")
        if not isinstance(payload, dict):
            continue
        for name in ("tool_input", "prompt", "message"):
            asked = payload.get(name)
            if asked in (None, "", {}):
                continue
            if isinstance(asked, dict) and isinstance(asked.get("command"), str):
                return _bounded(asked["command"])
            return _bounded(asked if isinstance(asked, str) else output.dumps(asked))
    return None


def _bounded(text: str) -> str:
    return cut(text, LONGEST) if len(text) > LONGEST else text


def _ms(value: float | None) -> str | None:
    if value is None:
        return None
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.2f} ms"
