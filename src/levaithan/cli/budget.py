"""`levaithan budget`: limits on what may be spent, and how far they are used."""

from __future__ import annotations

import json as json_of
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output, person
from levaithan.cli.state import STATE
from levaithan.errors import LevaithanError, NotFound, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.hot.budgets import Limit
    from levaithan.hot.spend import Spend

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="What may be spent.")
SCOPES = ("session", "task", "agent", "project", "day", "week", "month")
COLUMNS = ["id", "bucket", "usd", "spent_usd", "under_way_usd", "left_usd", "used", "state", "source"]
_SHOWN = 3
_CENTS = 4
Scope = Annotated[
    str,
    typer.Option("--scope", help="session, task, agent, project, day, week or month.", metavar="SCOPE",
                 autocompletion=lambda: [*SCOPES]),
]  # fmt: skip
Target = Annotated[
    str | None,
    typer.Option("--target", help="The one session, task, agent or project; default: each by itself, all in a period.",
                 metavar="X"),
]  # fmt: skip


def _share(text: str, default: str) -> Any:
    return typer.Option(
        text, help=f"The share of it at which that follows ({default}).", metavar="SHARE", min=0.01, max=10
    )


@app.command("set")
def set_(  # noqa: PLR0917 - one an option
    scope: Scope,
    usd: Annotated[float, typer.Option("--usd", help="How much, in US dollars.", metavar="USD", min=0, max=1e9)],
    target: Target = None,
    warn: Annotated[float | None, _share("--warn", "0.8")] = None,
    ask: Annotated[float | None, _share("--ask", "not")] = None,
    deny: Annotated[float | None, _share("--deny", "1")] = None,
    halt: Annotated[float | None, _share("--halt", "not")] = None,
    json: options.Json = False,
) -> None:
    """Bound what may be spent; in the place of an earlier limit, or the charter's, for the same scope and target."""
    from levaithan.hot.budgets import Limit
    from levaithan.hot.halts import stamp

    values: dict[str, Any] = {"scope": _known_scope(scope), "target": _target(scope, target), "usd": usd}
    shares = {"warn": warn, "ask": ask, "deny": deny, "halt": halt}
    values |= {name: share for name, share in shares.items() if share is not None}
    _limits()  # damaged ones are told, and not begun anew by the way
    values |= {"by": person.name(), "at": stamp(time.time_ns() // 1000)}
    made = Limit(values, "terminal")
    _change(lambda kept: kept.update({made.id: values}))
    _record("set", values)
    _emit([made], json)


@app.command()
def show(json: options.Json = False, format: options.Format = None) -> None:
    """Every limit in force with what is spent of it; of a limit for each of many, the dearest ones."""
    _emit(_limits(str(Path.cwd())), json, format)
    spend = _spend()
    for model, calls, _ in spend.unpriced() if spend else ():
        output.say(f"note: {calls} calls of {model} have no price and count as 0: see `levaithan cost prices`")


@app.command()
def freeze(scope: Scope, target: Target = None, json: options.Json = False) -> None:
    """Let nothing more be spent under a limit, until it is unfrozen."""
    _emit([_frozen(scope, target, frozen=True)], json)


@app.command()
def unfreeze(scope: Scope, target: Target = None, json: options.Json = False) -> None:
    """Let a frozen limit count as before."""
    _emit([_frozen(scope, target, frozen=False)], json)


@app.command()
def remove(scope: Scope, target: Target = None) -> None:
    """Take back a limit that was set at the terminal; the charter's, if it has one, counts again."""
    limit = _named(scope, target)
    if limit.source != "terminal":
        raise UsageProblem(f"{limit.id} is laid down in the {limit.source}.", fix="edit that file to remove it")
    _change(lambda kept: kept.pop(limit.id))
    _record("remove", {"scope": limit.scope, "target": limit.target, "usd": limit.usd})
    output.say(f"{limit.id} is removed")


def _frozen(scope: str, target: str | None, *, frozen: bool) -> Limit:
    from levaithan.hot.budgets import Limit

    limit = _named(scope, target)
    if limit.by_project:
        raise UsageProblem(f"{limit.id} is laid down by a project.", fix="freeze one with `--target` and its folder")
    shares = {name: share for name, share in limit.shares.items() if share is not None}
    values = {"scope": limit.scope, "target": limit.target, "usd": limit.usd, **shares, "frozen": frozen}
    _change(lambda kept: kept.update({limit.id: kept.get(limit.id, {}) | values}))
    _record("freeze" if frozen else "unfreeze", values)
    return Limit(values, "terminal")


def _limits(project: str | None = None) -> list[Limit]:
    from levaithan.hot import budgets

    try:
        return budgets.limits(STATE.home(), project)
    except OSError as problem:
        words, _, fix = str(problem).partition(". In a terminal: ")
        raise LevaithanError(words + ".", fix=fix) from None


def _named(scope: str, target: str | None) -> Limit:
    wanted = _target(_known_scope(scope), target)
    for limit in _limits():
        if (limit.scope, limit.target) == (scope, wanted):
            return limit
    raise NotFound(
        what="budget", name=f"{scope}:{wanted}" if wanted else scope, fix="`levaithan budget show` lists them"
    )


def _known_scope(scope: str) -> str:
    if scope not in SCOPES:
        raise UsageProblem(f"No scope {scope!r}.", fix=f"use one of {', '.join(SCOPES)}")
    return scope


def _target(scope: str, target: str | None) -> str:
    """A project is a folder; the target of a period is one as well."""
    return os.path.realpath(target) if target and scope in ("project", "day", "week", "month") else target or ""


def _change(edit: Callable[[dict[str, Any]], object]) -> None:
    from levaithan.hot import budgets

    def work(value: dict[str, Any]) -> bool:
        edit(value.setdefault("limits", {}))
        return True

    try:
        budgets.state_file(STATE.home()).change(work)
    except OSError as problem:
        raise LevaithanError(f"The budgets cannot be written: {problem}.", fix="run `levaithan doctor`") from None


def _record(action: str, values: dict[str, Any]) -> None:
    from levaithan.cli import recording

    wrong = recording.note(STATE.home(), "budget", {"action": action, "by": person.name(), "budget": values})
    if wrong:
        output.say(f"note: it is in force, but could not be recorded in the journal: {wrong}")


def _emit(limits: list[Limit], json: bool, format: str | None = None) -> None:
    spend = _spend()
    rows = [row for limit in limits for row in _rows(limit, spend)]
    output.emit(
        rows, COLUMNS, output.pick(format, json), nothing="there are no budgets: see `levaithan budget set --help`"
    )


def _spend() -> Spend | None:
    """What was spent; None when nothing was yet."""
    from levaithan.hot.spend import Spend

    try:
        there = Path(STATE.home().state, "spend.sqlite").exists()
        return Spend(STATE.home(), json_of.loads) if there else None
    except (OSError, sqlite3.Error) as problem:
        raise LevaithanError(f"What was spent cannot be read: {problem}.", fix="run `levaithan doctor`") from None


def _rows(limit: Limit, spend: Spend | None) -> Iterator[dict[str, Any]]:
    from levaithan.hot.prices import USD

    now_us = time.time_ns() // 1000
    for bucket in _buckets(limit, spend):
        spent, held = (spend.spent(bucket), spend.reserved(bucket, now_us)) if spend else (0, 0)
        used = spent / limit.nano if limit.nano else None
        yield {
            "id": limit.id, "bucket": bucket, "scope": limit.scope, "target": limit.target or None, "usd": limit.usd,
            "spent_usd": round(spent / USD, _CENTS), "under_way_usd": round(held / USD, _CENTS),
            "left_usd": round(limit.usd - spent / USD, _CENTS), "used": None if used is None else round(used, 4),
            "state": _state(limit, spent), "source": limit.source, **limit.shares,
        }  # fmt: skip


def _buckets(limit: Limit, spend: Spend | None) -> list[str]:
    """The buckets to show: the one it is for, this period's, or the dearest of its scope."""
    from levaithan.hot.spend import periods_of

    periods = periods_of(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    if limit.scope in periods:
        of = limit.target or (str(Path.cwd()) if limit.by_project else "")
        return [f"project:{of}|{periods[limit.scope]}" if of else periods[limit.scope]]
    if limit.target and limit.scope != "task":
        return [f"{limit.scope}:{limit.target}"]
    found = [bucket for bucket, _, _ in spend.dearest(limit.scope, _SHOWN)] if spend else []
    return found or [f"{limit.scope}:*"]


def _state(limit: Limit, spent: int) -> str:
    """The word for how far it is used: frozen, halt, deny, ask, warn or ok."""
    if limit.frozen:
        return "frozen"
    reached = [name for name, share in limit.shares.items() if share is not None and spent >= limit.nano * share]
    return reached[-1] if reached else "ok"
