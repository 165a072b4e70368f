"""What a read of events may be narrowed to: the same options for list, tail, search and export."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import output
from levaithan.cli.times import window
from levaithan.errors import UsageProblem

if TYPE_CHECKING:
    from levaithan.queries.asking import Filters

DECISIONS = ("halt", "deny", "ask", "allow")


def _events() -> list[str]:
    from levaithan.hot.catalogue import EVENTS

    return list(EVENTS)


Event = Annotated[
    str | None,
    typer.Option("--event", help="Only this event, such as PreToolUse.", metavar="NAME", autocompletion=_events),
]
Tool = Annotated[str | None, typer.Option("--tool", help="Only this tool, such as Bash.", metavar="NAME")]
Decision = Annotated[
    str | None,
    typer.Option(
        "--decision", help="Only halt, deny, ask or allow.", metavar="WHAT", autocompletion=lambda: [*DECISIONS]
    ),
]
Session = Annotated[str | None, typer.Option("--session", help="Only this session.", metavar="ID")]
Agent = Annotated[str | None, typer.Option("--agent", help="Only this agent.", metavar="ID")]
Rule = Annotated[str | None, typer.Option("--rule", help="Only where this rule decided.", metavar="ID")]
Project = Annotated[str | None, typer.Option("--project", help="Only this project's folder.", metavar="DIR")]
Canary = Annotated[bool, typer.Option("--canary", help="Also the canaries: calls that test the guard itself.")]


def build(since: str | None, until: str | None, **narrow: Any) -> Filters:
    """The filters of a question; the window is said on stderr in UTC when one was given. Raises UsageProblem."""
    from levaithan.queries.asking import Filters

    decision = narrow.get("decision")
    if decision is not None and decision not in DECISIONS:
        raise UsageProblem(f"--decision {decision!r} is none.", fix=f"choose one of: {', '.join(DECISIONS)}")
    if narrow.get("project"):
        narrow["project"] = os.path.realpath(narrow["project"])
    found = window(since, until)
    if since or until:
        output.say(f"window: {found}")
    return Filters(since_us=found.since_us, until_us=found.until_us, **narrow)
