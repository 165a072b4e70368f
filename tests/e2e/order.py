"""What it means that events are recorded in order: the audit against what the client and a foreign hook saw."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.e2e.stage import Ran

AT_ANY_TIME = frozenset({"InstructionsLoaded", "MessageDisplay"})
"""Events that the client fires without waiting for them: their place among the others is not promised by anybody."""
NEVER_STREAMED = frozenset({"InstructionsLoaded", "SessionEnd"})
"""Events that the client runs hooks for without saying so in its stream."""


def key(event: dict[str, Any]) -> tuple[str, str | None, str | None]:
    """What tells one event from another: its name, its tool call, its agent. Takes an audit row or a hook's input."""
    name = event.get("event") or event["hook_event_name"]
    return (name, event.get("tool_use_id") or None, event.get("agent_id") or None)


def streamed(ran: Ran, hooks_an_event: int) -> list[str]:
    """The events that the client says it ran hooks for, in order; each is said once a hook."""
    started = [one["hook_event"] for one in ran.hooks("hook_started")]
    seen: Counter[str] = Counter()
    events = []
    for name in started:
        if seen[name] % hooks_an_event == 0:
            events.append(name)
        seen[name] += 1
    odd = {name: count for name, count in seen.items() if count % hooks_an_event}
    if odd:
        raise AssertionError(f"not every event ran {hooks_an_event} hooks: {odd}")
    return events


def sequence(events: list[dict[str, Any]]) -> list[tuple[str, str | None, str | None]]:
    """The events whose order is promised, in their order."""
    return [key(event) for event in events if key(event)[0] not in AT_ANY_TIME]


def counted(events: list[dict[str, Any]]) -> Counter[tuple[str, str | None, str | None]]:
    """How often each event is there."""
    return Counter(key(event) for event in events)
