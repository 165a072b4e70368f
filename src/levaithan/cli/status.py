"""`levaithan status`: one look at everything: service, journal, stores, hooks, halts, canary, bypassed guards."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.actions import holding
from levaithan.cli import options, output, reading, status_monitor, status_stores
from levaithan.cli.state import STATE
from levaithan.errors import LevaithanError, NotConfigured, Unhealthy
from levaithan.stores import edge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.hot.paths import Home

Row = dict[str, Any]
ASK_S = 1.0
DAY_US = 86_400_000_000


def status(json: options.Json = False, format: options.Format = None) -> None:
    """How the service, the journal, the hooks and the halts are; exit 3 when something needs a person."""
    fmt = output.pick(format, json)
    home = STATE.home()
    if not Path(home.root).is_dir():
        raise NotConfigured(f"There is no home at {home.root}.", fix="run ./setup.sh (or `levaithan setup`)")
    with edge.once():
        rows = list(looks(home))
    failed = [row for row in rows if row["status"] == "fail"]
    words = ", ".join(dict.fromkeys(row["item"] for row in failed))
    held = holding.all_held({row["item"]: row["data"]["held_brief"] for row in rows if "held_brief" in row["data"]})
    if held and not failed:
        output.say(held)
    words = f"Not all is well: {words}." + (f" {held}" if held else "")
    problem = Unhealthy(words, fix=failed[0]["remedy"]) if failed else None
    output.emit(rows, ["item", "status", "value", "remedy"], fmt, problem=problem)


def looks(home: Home) -> Iterator[Row]:
    """A row an item: item, status (ok, warn, fail), value in words, remedy, data. A look that fails is a row too."""
    told = reading.ask_service(home, "status", ASK_S)
    yield from status_stores.once(list(_looks(home, told)))


def _looks(home: Home, told: dict[str, Any] | None) -> Iterator[Row]:
    parts: list[tuple[str, Callable[[Home], Iterator[Row]]]] = [
        ("service", partial(_service, told=told)), ("monitor", partial(status_monitor.rows, answer=told)),
        ("journal", _journal), ("stores", partial(status_stores.rows, told=told)), ("hooks", _hooks), ("halts", _halts),
        ("guard", _guard), ("mode", _mode), ("notifications", _notifications),
    ]  # fmt: skip
    yield row("home", "ok", home.root)
    for item, look in parts:
        try:
            yield from look(home)
        except LevaithanError as problem:
            yield row(item, "fail", problem.message, problem.fix)
        except OSError as problem:
            yield row(item, "fail", str(problem), "see that the folder is there and yours, then run it again")


def row(item: str, state: str, value: str, remedy: str = "", **data: Any) -> Row:
    """One line of the status."""
    return {"item": item, "status": state, "value": value, "remedy": remedy, "data": data}


def _service(home: Home, told: dict[str, Any] | None) -> Iterator[Row]:
    if told is None:
        from levaithan.service import instance

        if instance.running(home):
            silent = "it runs, but does not answer: it is only starting, or it hangs and every hook waits for it first"
            yield row("service", "fail", silent, "levaithan restart", running=True)
            return
        remedy = "levaithan start (hooks are decided and recorded without it, slower)"
        yield row("service", "fail", "not running", remedy, running=False)
        return
    up = f"up {told['uptime_s']:.0f} s" if isinstance(told.get("uptime_s"), (int, float)) else ""
    words = [f"running, pid {told.get('pid', '?')}", f"version {told.get('version', '?')}", up]
    yield row("service", "ok", ", ".join(word for word in words if word), running=True, answer=told)
    yield from _complaints(told)


def _complaints(told: dict[str, Any]) -> Iterator[Row]:
    """What the running service itself is not content with."""
    journal = told.get("journal") or {}
    if journal.get("last_error"):
        yield row("journal", "fail", str(journal["last_error"]), "levaithan doctor")
    for words in (told.get("gate") or {}).get("problems") or []:
        yield row(
            "rules",
            "fail",
            str(words),
            "mend that file (`levaithan doctor` says how); the last good one is in force until then",
        )
    settings = told.get("settings") or {}
    if settings.get("restart_needed"):
        yield row("settings", "warn", "changed since the service started", "levaithan restart")
    for words in settings.get("problems") or []:
        yield row("settings", "warn", str(words), "levaithan doctor --fix")
    if why := status_stores.nobody(told):
        yield row(
            "projector", "fail", f"it brings no store along: {why}", "levaithan restart; logs/service.log says more"
        )
    canary = told.get("canary") or {}
    if canary.get("ok") is False:
        first: dict[str, Any] = next((one for one in canary.get("rows") or [] if one.get("status") == "fail"), {})
        where = f"{first.get('place', '')}: {first.get('problem', 'it failed')}"
        yield row("canary", "fail", where, str(first.get("remedy") or "levaithan doctor"), at=canary.get("at"))
    yield from _sharing(told.get("sharing") or {})


def _sharing(told: dict[str, Any]) -> Iterator[Row]:
    """Whether this machine decides together with the others, where it is to."""
    if not told:
        return
    if told.get("answering"):
        yield row("sharing", "ok", f"decides together with {told.get('machines')} machines, itself included", **told)
    else:
        words = f"decides by its own share: {told.get('error') or told.get('why')}"
        yield row("sharing", "warn", words, "levaithan store check counters", **told)
    if copy := told.get("copy"):
        yield row("home", "warn", str(copy.get("message")), str(copy.get("fix")))


def _messages(count: int) -> str:
    return f"{count} message{' was' if count == 1 else 's were'}"


def _journal(home: Home) -> Iterator[Row]:
    from levaithan.hot import gap
    from levaithan.install import checks_record
    from levaithan.projector import feed, segments

    present = segments.segments(home.journal)
    size = segments.total_bytes(home.journal)
    head = feed.last_seq(home.journal)
    yield row(
        "journal", "ok", f"{head} records, {size / (1 << 20):.1f} MiB in {len(present)} segments",
        head=head, bytes=size, segments=len(present),
    )  # fmt: skip
    counted = gap.read(gap.files(home.journal))
    if counted:
        words = f"{counted.dropped} events could not be recorded ({counted.reason}), the last at {counted.last_at}"
        yield row("journal", "fail", words, "levaithan doctor", dropped=counted.dropped)
    if checks_record.closed(home.journal):
        yield row("journal", "fail", f"{home.journal} cannot be written: nothing can be recorded", "levaithan doctor")


def _halts(home: Home) -> Iterator[Row]:
    from levaithan.cli.halt import in_force

    active = in_force()
    if not active:
        yield row("halts", "ok", "none in force")
    for halt in active:
        words = f"{halt.scope} {halt.target}".strip() + f" by {halt.by}: {halt.reason}"
        yield row("halt", "warn", words, f"levaithan halt release {halt.id}", halt=halt.as_dict())


def _mode(home: Home) -> Iterator[Row]:
    from levaithan.cli import mode, restraint

    now = mode.in_force(home)
    words = f"{now['mode']}: {now['off']} off" if now["off"] else str(now["mode"])
    remedy = (_unhalt(home) if now["mode"] == "halted" else holding.BACK) if now["rung"] else ""
    yield row("mode", "warn" if now["rung"] else "ok", words, remedy, mode=now)
    held = restraint.in_force()
    for one in held:
        words = f"{one.kind} {one.scope} {one.target}".strip() + f" by {one.by}: {one.reason}"
        yield row("restraint", "warn", words, f"levaithan restraint release {one.id}", restraint=one.as_dict())
    if held and not restraint.checked(home):
        yield row("restraint", "fail", "no workflow has restraint_check: nothing is held", "levaithan doctor")


def _unhalt(home: Home) -> str:
    """What lets agents go on where all are halted."""
    from levaithan.hot import halts

    try:
        found = [halt.id for halt in halts.active(home) if halt.scope == "all"]
    except halts.HaltError:
        return "levaithan doctor --fix"
    return f"levaithan halt release {found[0]}" if len(found) == 1 else "levaithan halt list, then release each"


def _notifications(home: Home) -> Iterator[Row]:
    """Messages that wait, and those that no channel has taken."""
    from levaithan.actions import fallback
    from levaithan.actions.outbox import Outbox

    outbox, fallen = Outbox(home), fallback.last(home)
    waiting, lost = outbox.waiting(), outbox.lost
    if fallen:
        words = f"{_messages(len(fallen))} taken by no channel, the last: {fallen[-1].get('title')}"
        bad = any(one.get("severity") in ("P0", "P1") for one in fallen)
        yield row("notifications", "fail" if bad else "warn", words, "levaithan action seen", fallen=len(fallen))
    if lost:
        yield row("notifications", "warn", f"{_messages(lost)} one too many", "levaithan incident list", lost=lost)
    if waiting:
        yield row("notifications", "warn", f"{len(waiting)} wait to be sent", "levaithan action alert")
    elif not fallen:
        yield row("notifications", "ok", "none wait")


def _guard(home: Home) -> Iterator[Row]:
    """The last canary, and calls of the last day that the guard did not see or could not stop."""
    import time

    from levaithan.queries import audit, signals
    from levaithan.queries.asking import Filters

    since = time.time_ns() // 1000 - DAY_US
    with reading.ledger(fresh=False) as ledger:
        bypassed = signals.bypassed(ledger, since_us=since)
        ran = signals.ran_despite_denial(ledger, since_us=since)
        tested = [
            one for one in audit.list_events(ledger, Filters(include_canary=True), limit=200).rows if one["canary"]
        ]
    yield row("last canary", "ok", tested[0]["at"] if tested else "none yet", at=tested[0]["at"] if tested else None)
    for found, words in ((bypassed, "ran without the guard being asked"), (ran, "ran although denied")):
        if found:
            remedy = f"levaithan audit show {found[0]['tool_use_id']}; then levaithan doctor"
            yield row("guard", "fail", f"{len(found)} calls of the last day {words}", remedy, calls=found)
    if not bypassed and not ran:
        yield row("guard", "ok", "no call of the last day got past it")


def _hooks(home: Home) -> Iterator[Row]:
    from levaithan.install import listing

    found = listing.installed(home)
    if not found:
        yield row("hooks", "warn", "installed nowhere", "levaithan hooks install --project DIR (or --user)")
    for one in found:
        words = f"{one['where']}: " + (one["problem"] or f"{one['events']} events")
        yield row("hooks", one["status"], words, one["remedy"], install=one)
