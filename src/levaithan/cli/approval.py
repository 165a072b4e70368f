"""`levaithan approval`: what agents have asked for where nobody could answer, and what a person says to it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output, person, table
from levaithan.cli.state import STATE
from levaithan.errors import LevaithanError, NotFound, UsageProblem

if TYPE_CHECKING:
    from levaithan.hot.approvals import Ticket

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="What agents asked for.")
COLUMNS = ["id", "status", "tool", "what", "rule", "asked_at", "expires_at", "by"]
Id = Annotated[str, typer.Argument(help="The ticket's id, as the agent was told.", metavar="ID")]
Comment = Annotated[str | None, typer.Option("--comment", help="A word to it, kept; told on a denial.", metavar="TEXT")]


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """The tickets that wait or still count, the newest first."""
    from levaithan.hot import approvals

    rows = [_row(one) for one in approvals.every(STATE.home()) if every or one["status"] not in ("used", "expired")]
    output.emit(rows, COLUMNS, output.pick(format, json), nothing="nothing waits for approval")


@app.command()
def show(ticket_id: Id, json: options.Json = False) -> None:
    """All of one ticket: what would be done, why it is asked about, who may approve it."""
    row = _row(_known(ticket_id))
    if json:
        output.out(output.envelope([row]))
    else:
        for line in table.facts([(name, "" if value is None else value) for name, value in row.items()]):
            output.out(line)
    output.flush()


@app.command()
def approve(ticket_id: Id, comment: Comment = None, yes: options.Yes = False, json: options.Json = False) -> None:
    """Let the very same action pass, once, until the ticket expires. Asks first unless --yes."""
    ticket = _known(ticket_id)
    if not yes:
        output.say(f"{ticket['tool']} in {ticket['cwd']}: {table.cell(ticket['what'])}")
        output.say(f"asked about because: {table.cell(ticket['reason'])}")
        if not sys.stdin.isatty():
            raise UsageProblem("Nobody is there to confirm.", fix="look at the ticket above; then give --yes")
        if not typer.confirm("Let it pass once?", err=True):
            raise typer.Abort
    made = _decide(ticket_id, approve=True, comment=comment)
    output.emit([_row(made)], COLUMNS, output.pick(None, json))
    output.say("the agent may make the very same call again now; it passes once")


@app.command()
def deny(ticket_id: Id, comment: Comment = None, json: options.Json = False) -> None:
    """Refuse an action for good: the agent is told so when it asks again."""
    made = _decide(ticket_id, approve=False, comment=comment)
    output.emit([_row(made)], COLUMNS, output.pick(None, json))


def _known(ticket_id: str) -> Ticket:
    from levaithan.hot import approvals

    for ticket in approvals.every(STATE.home()):
        if ticket["id"] == ticket_id:
            return ticket
    raise NotFound(what="ticket", name=ticket_id, fix="`levaithan approval list --all` shows all there are")


def _decide(ticket_id: str, *, approve: bool, comment: str | None) -> Ticket:
    from levaithan.cli import recording
    from levaithan.hot import approvals

    _known(ticket_id)
    try:
        made = approvals.decide(STATE.home(), ticket_id, approve=approve, by=person.name(), comment=comment)
    except approvals.ApprovalError as problem:
        raise LevaithanError(f"{problem}.", fix="see `levaithan approval show`") from None
    except OSError as problem:
        raise LevaithanError(f"The ticket cannot be changed: {problem}.", fix="run `levaithan doctor`") from None
    action = "approve" if approve else "deny"
    wrong = recording.note(STATE.home(), "approval", {"action": action, "by": person.name(), "ticket": _row(made)})
    if wrong:
        output.say(f"note: it is in force, but could not be recorded in the journal: {wrong}")
    return made


def _row(ticket: Ticket) -> dict[str, Any]:
    """The ticket as people see it: times as text, no hash."""
    from levaithan.hot.halts import stamp

    row: dict[str, Any] = {key: value for key, value in ticket.items() if key != "hash" and not key.endswith("_us")}
    for name in ("asked", "expires", "decided", "used"):
        when = ticket.get(name + "_us")
        row[name + "_at"] = stamp(when) if when else None
    return row
