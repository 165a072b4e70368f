"""What a read of events may be narrowed to: the same options for list, tail, search, export and sessions.

A command takes them all as one `Filters`: `@filters.asking()` gives it the options, so that a new filter is one line.
"""

from __future__ import annotations

import functools
import inspect
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output
from levaithan.cli.times import window
from levaithan.errors import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.queries.asking import Filters

DECISIONS = ("halt", "deny", "ask", "allow")


def _events() -> list[str]:
    from levaithan.hot.catalogue import EVENTS

    return list(EVENTS)


_OPTIONS: dict[str, tuple[Any, Any]] = {
    "since": (options.Since, None),
    "until": (options.Until, None),
    "event": (
        Annotated[
            str | None,
            typer.Option(
                "--event", help="Only this event, such as PreToolUse.", metavar="NAME", autocompletion=_events
            ),
        ],
        None,
    ),
    "tool": (
        Annotated[str | None, typer.Option("--tool", help="Only this tool, such as Bash.", metavar="NAME")],
        None,
    ),
    "decision": (
        Annotated[
            str | None,
            typer.Option(
                "--decision", help="Only halt, deny, ask or allow.", metavar="WHAT", autocompletion=lambda: [*DECISIONS]
            ),
        ],
        None,
    ),
    "session": (Annotated[str | None, typer.Option("--session", help="Only this session.", metavar="ID")], None),
    "agent": (Annotated[str | None, typer.Option("--agent", help="Only this agent.", metavar="ID")], None),
    "rule": (Annotated[str | None, typer.Option("--rule", help="Only where this rule decided.", metavar="ID")], None),
    "project": (
        Annotated[str | None, typer.Option("--project", help="Only this project's folder.", metavar="DIR")],
        None,
    ),
    "canary": (
        Annotated[bool, typer.Option("--canary", help="Also the canaries: calls that test the guard itself.")],
        False,
    ),
}
"""An option's name: its Typer annotation and its default."""


def asking(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options, but those named, and call it with the Filters they make as its first argument."""
    chosen = {name: option for name, option in _OPTIONS.items() if name not in without}

    def give(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**given: Any) -> None:
            command(build(**{name: given.pop(name) for name in chosen}), **given)

        # Typer reads real annotations; `Filters` is there for the type checker only.
        signature = inspect.signature(command, eval_str=True, locals={"Filters": object})
        own = list(signature.parameters.values())[1:]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for name, (kind, default) in chosen.items()
        ]
        run.__signature__ = inspect.Signature([*added, *own])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in (*added, *own)}
        return run

    return give


def build(since: str | None = None, until: str | None = None, *, canary: bool = False, **narrow: str | None) -> Filters:
    """The filters of a question; the window is said on stderr in UTC when one was given. Raises UsageProblem."""
    from levaithan.queries.asking import Filters

    decision, project = narrow.get("decision"), narrow.get("project")
    if decision is not None and decision not in DECISIONS:
        raise UsageProblem(f"--decision {decision!r} is none.", fix=f"choose one of: {', '.join(DECISIONS)}")
    if project:
        narrow["project"] = os.path.realpath(project)
    found = window(since, until)
    if since or until:
        output.say(f"window: {found}")
    return Filters(since_us=found.since_us, until_us=found.until_us, include_canary=canary, **narrow)
