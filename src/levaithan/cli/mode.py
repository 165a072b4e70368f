"""`levaithan mode`: how much LevAIthan does besides deciding and recording, and what is switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output, person, reading
from levaithan.errors import LevaithanError, UsageProblem

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="What is switched off.")
MODES = ("normal", "degraded", "local-only", "halted")
COLUMNS = ["mode", "rung", "off", "reason", "by", "set_at", "projector_processes", "broken_circuits"]
TABLE = ["rung", "mode", "off", "means", "in_force"]


@app.command()
def show(
    table: Annotated[bool, typer.Option("--table", help="What is switched off on each rung.")] = False,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """The mode in force."""
    from levaithan.hot import modes

    now = in_force(reading.home())
    if not table:
        output.emit([now], COLUMNS, output.pick(format, json))
        _say_circuits(now)
        return
    rows: list[dict[str, Any]] = [
        {"rung": rung, "mode": one.mode, "off": ", ".join(one.off), "means": one.means, "in_force": rung <= now["rung"]}
        for rung, one in enumerate(modes.RUNGS)
    ]
    output.emit(rows, TABLE, output.pick(format, json))


@app.command("set")
def set_(
    mode: Annotated[
        str,
        typer.Argument(help="normal, degraded, local-only or halted.", metavar="MODE", autocompletion=lambda: [*MODES]),
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why.", metavar="TEXT")],
    rung: Annotated[
        int | None, typer.Option("--rung", help="Of degraded: only so far (`mode show --table`).", metavar="N")
    ] = None,
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Go to a mode. The rules, the journal and redaction are on in every one."""
    from levaithan.hot import modes

    if mode not in MODES:
        raise UsageProblem(f"There is no mode {mode!r}.", fix=f"use one of {', '.join(MODES)}")
    level = modes.LEVELS[mode] if rung is None else rung
    if rung is not None and (not 0 <= rung < len(modes.RUNGS) or modes.RUNGS[rung].mode != mode):
        raise UsageProblem(f"Rung {rung} is none of {mode}.", fix="`levaithan mode show --table` shows them")
    home = reading.home()
    if dry_run:
        output.say(f"would go from {_rung(home)['mode']} to {mode}; off then: {', '.join(modes.off_at(level))}")
        return
    before = _rung(home)
    if mode == modes.HALTED:
        _halt(home, reason)
    else:
        try:
            modes.set_mode(home, level, by=person.name(), reason=reason)
        except OSError as problem:
            raise LevaithanError(f"The mode cannot be set: {problem}.", fix="free space or mend state/") from None
    _record(home, before, _rung(home), reason)
    now = in_force(home)  # asks settings and drivers where stores are: when all is done, for it only informs
    output.emit([now], COLUMNS, output.pick(None, json))
    _say_circuits(now)
    if now["mode"] == modes.HALTED and mode != modes.HALTED:
        output.say(_still_halted(home, mode))


def _still_halted(home: Home, mode: str) -> str:
    """Why the home is not in `mode`, which holds as soon as the halt is released, and what to do."""
    from levaithan.hot import halts

    try:
        stop = next((halt for halt in halts.active(home) if halt.scope == "all"), None)
    except halts.HaltError as problem:
        return f"agents stay halted: {problem}. next: levaithan doctor --fix"
    name, by = (stop.id, f" {stop.id}, set by {stop.by}") if stop else ("ID", "")
    return (
        f"agents stay halted by the halt{by}: a mode releases none. {mode} is set beneath it and holds when that ends. "
        f"next: `levaithan halt release {name}`, when what it was set for is over"
    )


def _say_circuits(now: dict[str, Any]) -> None:
    """Say of which circuits the row `now` of in_force cannot be taken as it stands."""
    for one in now["circuits"]:
        if not one["holds"]:
            output.say(_moved(one))
        elif one["at"] == "":
            output.say(
                f"note: the settings do not say where the {one['store']} store is now; its circuit is told as one that "
                "holds it. next: levaithan doctor"
            )


def _moved(circuit: dict[str, Any]) -> str:
    """What there is to say of a circuit that holds nothing now."""
    now = f"the store is at {circuit['at']} now" if circuit["at"] else "the store is not in use now"
    return f"note: the circuit of {circuit['store']} was broken for {circuit['where']}: {now}, and not held"


def in_force(home: Home) -> dict[str, Any]:
    """The mode of the home as one row; halted while a halt of scope all is in force, or the halts cannot be read.

    broken_circuits: the stores that one holds now; circuits: each one, also of an address that the store had before.
    Never raises.
    """
    circuits = _circuits(home)
    held = ", ".join(one["store"] for one in circuits if one["holds"])
    return _rung(home) | {"broken_circuits": held, "circuits": circuits}


def _rung(home: Home) -> dict[str, Any]:
    """What in_force tells besides circuits: of the home's own files alone, whatever its settings and stores are."""
    from levaithan.hot import halts, modes

    now = modes.look(home)
    row: dict[str, Any] = {name: now[name] for name in ("mode", "reason", "by", "set_at")}
    row |= {"rung": now["level"], "off": ", ".join(now["off"]), "projector_processes": now["workers"]}
    try:
        stop = next((halt for halt in halts.active(home) if halt.scope == "all"), None)
    except halts.HaltError as problem:
        return row | {"mode": modes.HALTED, "rung": modes.LEVELS[modes.HALTED], "reason": str(problem)}
    if stop is None:
        return row
    off = ", ".join([*now["off"], modes.AGENTS])
    told = {"reason": stop.reason, "by": stop.by, "set_at": stop.set_at}
    return row | {"mode": modes.HALTED, "rung": modes.LEVELS[modes.HALTED], "off": off} | told


def _circuits(home: Home) -> list[dict[str, Any]]:
    """See holding.circuits; where no settings can be read they are told as they are known without."""
    from levaithan.hot import modes

    if not modes.breakers(home):
        return []
    from levaithan.actions import holding
    from levaithan.actions.jobs import attempt
    from levaithan.cli.state import STATE
    from levaithan.config import lean

    settings, _ = attempt(lambda: lean.load(STATE.home_argument))
    return holding.circuits(home, settings)


def _halt(home: Home, reason: str) -> None:
    from levaithan.cli import recording
    from levaithan.hot import halts

    try:
        made = halts.set_halt(home, "all", "", reason, person.name())
    except ValueError as problem:
        raise UsageProblem(f"{problem}.", fix="give --reason") from None
    except halts.HaltError as problem:
        raise LevaithanError(str(problem), fix="run `levaithan doctor --fix`") from None
    recording.note(home, "halt", {"action": "set", "by": person.name(), "halt": made.as_dict()})
    output.say(f"in force now; end it with `levaithan halt release {made.id}`")


def _record(home: Home, before: dict[str, Any], now: dict[str, Any], reason: str) -> None:
    from levaithan.cli import recording

    body = {"action": "set", "by": person.name(), "mode": now["mode"], "rung": now["rung"], "before": before["mode"]}
    problem = recording.note(home, "mode", {**body, "reason": reason})
    if problem:
        output.say(f"note: it is in force, but could not be recorded in the journal: {problem}")
