"""`levaithan incident draft` and `postmortem`: a first analysis to begin with, and the one that a person finished."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import incident_steps, options, output, reading
from levaithan.cli.state import STATE
from levaithan.errors import LevaithanError, UsageProblem

if TYPE_CHECKING:
    from levaithan.incidents.book import Book
    from levaithan.incidents.drafting import Drafted
    from levaithan.incidents.evidence import Evidence
    from levaithan.incidents.incident import Incident

Id = Annotated[str, typer.Argument(help="The incident's id, or the beginning of it.", metavar="ID")]


def draft(
    incident_id: Id,
    out: Annotated[str | None, typer.Option("--out", "-o", help="Write it to this file.", metavar="FILE")] = None,
    show_request: Annotated[
        bool, typer.Option("--show-request", help="Print exactly what would be sent to the Claude API; send nothing.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody, whatever key is set.")] = False,
    json: options.Json = False,
) -> None:
    """Write the beginning of a postmortem: by the Claude API where a key is set, else by this machine alone."""
    from levaithan.incidents import notes, request

    with reading.ledger() as ledger:
        book = notes.book(ledger)
        one = notes.named(book, incident_id)
        evidence = _evidence(one, book, ledger)
    if show_request:
        output.out(output.dumps(request.body(one, evidence, STATE.settings().claude_model)))
        output.flush()
        return
    from levaithan.incidents import drafting

    done = drafting.written(one, evidence, None if offline else _desk(one))
    _print(one, evidence, done, out, json)


def _evidence(one: Incident, book: Book, ledger: Any) -> Evidence:
    from levaithan.incidents import evidence

    with contextlib.ExitStack() as opened:
        stores: dict[str, Any] = {}
        for name in ("graph", "memory"):
            try:
                stores[name] = opened.enter_context(reading.opened(name, fresh=False, optional=True))
            except LevaithanError as problem:
                output.say(f"note: without the {name}: {problem.message}")
        return evidence.gather(one, book, ledger, home=STATE.home(), **stores)


def _desk(one: Incident) -> Any:
    """What drafting works with here. A step that is not allowed is said before anything is spent."""
    from levaithan.cost import table
    from levaithan.incidents.drafting import Desk

    def record(body: dict[str, Any]) -> str:
        told = {name: value for name, value in body.items() if name not in ("action", "incident", "by")}
        try:
            incident_steps.write(incident_steps.made(body["action"], one.id, **told))
        except LevaithanError as problem:
            return problem.message
        return ""

    prices, problem = table.in_force(STATE.home())
    if problem is not None:
        output.say(f"note: {problem.message}")
    return Desk(STATE.home(), STATE.settings(), prices, incident_steps.who(), incident_steps.book, record)


def _print(one: Incident, evidence: Evidence, done: Drafted, out: str | None, json: bool) -> None:
    from levaithan.incidents import markdown
    from levaithan.incidents.draft import MARK

    text = markdown.render(one, done.draft, evidence, origin=done.origin)
    if out is not None:
        try:
            with open(out, "x", encoding="utf-8") as file:  # noqa: PTH123 - never over what somebody wrote
                file.write(text)
        except OSError as problem:
            raise UsageProblem(
                f"{out} cannot be written: {problem.strerror}.", fix="name a file that is not there yet"
            ) from None
    if json:
        row = {
            "incident": one.id, "status": MARK, "origin": done.origin, "fallback_because": done.why or None,
            "dropped_refs": done.dropped_refs, "dropped_claims": done.dropped_claims, "usd": done.usd,
            "draft": done.draft.model_dump(), "evidence": evidence.as_dict(), "file": out,
        }  # fmt: skip
        output.out(output.envelope([row]))
    elif out is None:
        output.write(text)
    output.flush()
    _words(one, done, out)


def _words(one: Incident, done: Drafted, out: str | None) -> None:
    """What a person should know of it, on stderr."""
    from levaithan.incidents.draft import MARK

    output.say(f"{MARK}: {done.origin}")
    if done.why:
        output.say(f"note: the Claude API was not used: {done.why}")
    if done.dropped_refs or done.dropped_claims:
        output.say(
            f"note: {done.dropped_refs} references to records that were not shown are left out, and "
            f"{done.dropped_claims} claims that no record shows"
        )
    output.say(f"next: fill in what is blank, then `levaithan incident postmortem {one.id} {out or 'FILE'}`")


def postmortem(
    incident_id: Id,
    file: Annotated[
        str, typer.Argument(help="The postmortem, in Markdown, as `incident draft` lays it out.", metavar="FILE")
    ],
    json: options.Json = False,
) -> None:
    """Hand in the postmortem that you wrote; says what it still lacks. A later one replaces it."""
    from levaithan.incidents import markdown

    try:
        with open(os.path.realpath(file), encoding="utf-8") as opened:  # noqa: PTH123
            text = opened.read(markdown.MOST_BYTES + 1)
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageProblem(f"{file} cannot be read: {problem}.", fix="name a text file") from None
    if len(text.encode()) > markdown.MOST_BYTES:
        raise UsageProblem(f"{file} has more than {markdown.MOST_BYTES} bytes.", fix="leave long listings out")
    missing, items = markdown.read(text)
    for one in missing:
        output.say(f"missing: {one}")
    sha = hashlib.sha256(text.encode()).hexdigest()
    incident_steps.step(
        incident_id, "draft", json, what="postmortem", postmortem=text, sha256=sha, missing=missing or None,
        items=items or None, origin="person",
    )  # fmt: skip
