"""`levaithan alerts`: the rules, what fires now, and the same rules as Prometheus' file."""

from __future__ import annotations

from pathlib import Path  # Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output, reading
from levaithan.cli.state import STATE
from levaithan.errors import FindingsFound, LevaithanError, UsageProblem

if TYPE_CHECKING:
    from levaithan.detectors.rules import Rule, Rules
    from levaithan.hot.paths import Home

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="What is watched.")
COLUMNS = ["alert", "severity", "detection", "state", "since", "value", "threshold", "for_s", "labels"]
_LEFT_OUT = "LEVAITHAN_ALERT_EVALUATION=off leaves the rules to Prometheus"
_EVALUATE = "ask Prometheus (http://127.0.0.1:9090/alerts), or set it on in .env, then `levaithan restart`"
_UNKNOWN = "nothing is known to fire, for nobody has looked"
_NOTHING = (
    "nothing fires: a rule that does stands here with its value, its place and since when; without --firing there are "
    "all. Safe to try: `levaithan action alert --dry-run` shows who would be told"
)


@app.command("list")
def list_(
    firing: Annotated[bool, typer.Option("--firing", help="Only what fires now.")] = False,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """Every alert and how it stands now, by the monitor's last look: firing, pending, quiet, off or unknown.

    `unknown` is said when no monitor runs or has looked lately (`levaithan status` tells more), of rules that are left
    to Prometheus by LEVAITHAN_ALERT_EVALUATION=off, and of rules whose tuning in alerts.toml it has not taken up yet.
    """
    from levaithan.detectors import shown
    from levaithan.detectors.rules import EVERYWHERE

    fmt, home = output.pick(format, json), reading.home()
    rules, told = _rules(), shown.read(home)
    unseen = _unseen(home, told)
    if unseen:
        output.say(f"{unseen}: what fires now is not known. next: {_next(home)}")
    evaluated = bool(told and told.get("evaluated", True))
    if told and not unseen and not evaluated:
        output.say(f"{_LEFT_OUT}: of those only what detectors see is known. next: {_EVALUATE}")
    now: dict[str, list[dict[str, Any]]] = {}
    for one in told["alerts"] if told and not unseen else []:
        now.setdefault(str(one.get("alert")), []).append(one)
    otherwise = set() if unseen or told is None else _otherwise(told.get("tuned") or {}, rules)
    if otherwise:
        output.say(f"not taken up by the monitor yet, which does so within seconds: {', '.join(sorted(otherwise))}")
    rows = []
    for rule in rules.all:
        if rule.alert in otherwise:
            rows.append(_row(rule) | {"state": "unknown"})
        else:
            rows += _rows(rule, now.get(rule.alert, []), known=not unseen and (evaluated or rule.where != EVERYWHERE))
    if firing:
        rows = [row for row in rows if row["state"] == "firing"]
    output.emit(rows, COLUMNS, fmt, nothing=_UNKNOWN if unseen or not evaluated else _NOTHING)


@app.command()
def check(json: options.Json = False) -> None:
    """Whether context/alerts.toml, in which rules are tuned, is good; exit 5 when it is not. Nothing is changed."""
    from levaithan.detectors import tuning

    home = reading.home()
    rules = tuning.load(home.context)
    path = home.context + tuning.FILE
    rows = [
        {"path": path, "ok": False, "problem": problem.removeprefix(path).removeprefix(": ").strip()}
        for problem in rules.problems
    ]
    problem = FindingsFound("Not all of alerts.toml is followed.", fix="correct what is named above") if rows else None
    rows = rows or [{"path": path, "ok": True, "problem": None}]
    output.emit(rows, ["path", "ok", "problem"], output.pick(None, json), problem=problem)


@app.command("compile")
def compile_(
    to: Annotated[
        Path | None,
        typer.Option("--to", help="The folder that rule_files of prometheus.yml names.", metavar="DIR"),
    ] = None,
) -> None:
    """The rules as Prometheus' file (2.42 or later), tuned as here: on stdout, or written into a folder.

    What of alerts.toml is not good is left out and said; a file is written all the same, with exit code 5.
    """
    from levaithan.detectors import prometheus_rules, tuning

    if to is None:
        rules = _rules()
        output.out(prometheus_rules.compiled(rules).rstrip("\n"))
        output.flush()
        return
    if to.exists() and not to.is_dir():
        raise UsageProblem(f"{to} is no folder.", fix="name the folder that rule_files of prometheus.yml names")
    rules = tuning.load(STATE.home().context)
    try:
        output.say(f"written: {prometheus_rules.write(rules, to)}. next: reload Prometheus (SIGHUP, or restart it)")
    except OSError as problem:
        raise LevaithanError(f"{to} cannot be written: {problem.strerror}.", fix="name another folder") from None
    if rules.problems:
        words = "It was written without what is wrong in alerts.toml: " + "; ".join(rules.problems)
        raise FindingsFound(f"{words}.", fix="correct that, then run it again")


def _next(home: Home) -> str:
    """What brings somebody to look."""
    from levaithan.config import lean
    from levaithan.service import instance

    if not lean.load(STATE.home_argument).monitor:
        return "set LEVAITHAN_MONITOR=on in .env, then `levaithan restart`"
    return "levaithan status" if instance.running(home) else "levaithan start"


def _unseen(home: Home, told: dict[str, Any] | None) -> str:
    """Why what the monitor saw last is not how things stand now; "" when it is."""
    from levaithan.detectors import shown
    from levaithan.install import monitoring

    age, monitor = shown.age_s(told), monitoring.read(home)
    if age is None:
        return "no monitor has looked yet"
    if monitor is None or not monitoring.runs(monitor):
        return f"no monitor runs, the last one looked {age:.0f} s ago"
    every = monitor.get("every_s")
    if age > max(shown.STALE_S, 2 * every if isinstance(every, (int, float)) else 0):
        return f"the monitor's last look is {age:.0f} s old"
    return ""


def _otherwise(tuned: dict[str, Any], rules: Rules) -> set[str]:
    """The alerts that are tuned otherwise in the file than in the monitor."""
    from levaithan.detectors import shown

    wanted = shown.in_force(rules)
    return {alert for alert in wanted.keys() | tuned.keys() if wanted.get(alert) != tuned.get(alert)}


def _rules() -> Rules:
    from levaithan.detectors import tuning

    rules = tuning.load(STATE.home().context)
    for problem in rules.problems:
        output.say(problem)
    return rules


def _rows(rule: Rule, now: list[dict[str, Any]], *, known: bool) -> list[dict[str, Any]]:
    """One row where nothing waits or fires, else one for each place."""
    from levaithan.detectors.rules import PROMETHEUS
    from levaithan.hot.halts import stamp

    row = _row(rule)
    if rule.off:
        return [row | {"state": "off"}]
    if not now:
        seen_here = known and not (rule.where == PROMETHEUS and rule.shape.startswith("value+absent"))
        return [row | {"state": "quiet" if seen_here else "unknown"}]
    return [
        row
        | {
            "state": one.get("state"), "since": stamp(int(float(one.get("since_s") or 0) * 1e6)),
            "value": one.get("value"), "labels": one.get("labels") or {},
            "summary": one.get("summary") or rule.summary, "session_id": one.get("session_id") or None,
        }
        for one in now
    ]  # fmt: skip


def _row(rule: Rule) -> dict[str, Any]:
    return {
        "alert": rule.alert, "severity": rule.severity, "detection": rule.detection, "threshold": rule.threshold,
        "for_s": rule.for_s, "where": rule.where, "summary": rule.summary, "fix": rule.fix, "runbook": rule.runbook,
        "expression": rule.promql(guard=False), "tuned": list(rule.tuned), "since": None, "value": None, "labels": {},
    }  # fmt: skip
