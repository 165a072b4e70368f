"""Makes docs/reference/events.md of the catalogue: `python -m levaithan.hot.events_page > docs/reference/events.md`.

A test compares the page with what this makes. Never loaded by a hook.
"""

from __future__ import annotations

import sys

from levaithan.hot.catalogue import BASE, EVENTS, EventSpec

_WAYS = {
    "permission": "`permissionDecision` deny or ask",
    "request": "`decision.behavior` deny",
    "block": "`decision` block",
    "exit2": "exit 2, the reason on stderr",
    "decline": "`action` decline",
    "none": "nothing",
}
_TOP = """# The events

Made from `src/levaithan/hot/catalogue.py` by `python -m levaithan.hot.events_page > docs/reference/events.md`;
do not edit it by hand.

Every event has {base}; `prompt_id` once a prompt exists, `agent_id` and `agent_type` inside a subagent.
A `?` marks a field that is not always there. An event or a field that is not in this table is recorded and allowed.

- **closed**: when the gate cannot decide (a hook crashes, hangs or is missing, the input cannot be read), the event is
  denied. **open**: it passes.
- **Since** is what was looked at, not the whole history: the clients 2.1.197 and 2.1.330.
- Which hooks run on an event is said in `.claude/context/workflows.toml`.

| event | fields | matcher | a deny is said by | context | fails | timeout | since | registered |
|---|---|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The page's whole text."""
    lines = [_TOP.format(base=", ".join(f"`{field}`" for field in BASE))]
    lines += [_row(spec) for spec in EVENTS.values()]
    lines.append("\n## Out of the ordinary\n\n")
    lines += [f"- **{spec.name}**: {spec.why}.\n" for spec in EVENTS.values() if spec.why]
    return "".join(lines)


def _row(spec: EventSpec) -> str:
    cells = (
        spec.name,
        " ".join(f"`{field}`" for field in spec.fields),
        f"`{spec.matcher_field}`" if spec.matcher_field else "none",
        _WAYS[spec.answer],
        "yes" if spec.context else "no",
        f"**{spec.fail}**" if spec.fail == "closed" else spec.fail,
        f"{spec.timeout_s} s",
        spec.since,
        "yes" if spec.registered else "**no**",
    )
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
