"""`levaithan session`: who worked, when, with which agents, and what it came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import filters, options, output, reading, table

if TYPE_CHECKING:
    from levaithan.queries.asking import Filters

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="Sessions and agents.")


@app.command("list")
@filters.asking("event", "tool", "decision", "session", "agent", "rule")
def list_(
    asked: Filters,
    *,
    limit: options.Limit = 50,
    cursor: options.Cursor = None,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """Sessions with an event in the window, the last active first."""
    from levaithan.queries import sessions

    fmt = output.pick(format, json)
    with reading.ledger() as ledger:
        page = sessions.list_sessions(ledger, asked, limit=limit, cursor=cursor)
    columns = ["session_id", "first_at", "last_at", "ended", "events", "agents", "model", "project"]
    output.emit(page.rows, columns, fmt, following=page.next, nothing="no sessions in this window")


@app.command()
def show(
    session: Annotated[str, typer.Argument(help="The session's id.", metavar="SESSION")], json: options.Json = False
) -> None:
    """One session: its facts, its agents, and its events counted."""
    from levaithan.queries import sessions

    with reading.ledger() as ledger:
        found = sessions.show(ledger, session)
    if json:
        output.out(output.envelope([found]))
    else:
        _print(found)
    output.flush()


def _print(found: dict[str, Any]) -> None:
    plain = [(name, value) for name, value in found.items() if not isinstance(value, (dict, list))]
    for line in table.facts([(name.replace("_", " "), value) for name, value in plain]):
        output.out(line)
    for name in ("by_event", "by_tool", "by_decision"):
        if found[name]:
            output.out(f"\n{name.replace('_', ' ')}")
            for line in table.facts(list(found[name].items()), "  "):
                output.out(line)
    if found["agents"]:
        output.out("\nagents")
        columns = ["agent_id", "agent_type", "first_at", "last_at", "stopped_at", "events"]
        for line in table.render(found["agents"], columns, table.terminal_width()):
            output.out(line)
