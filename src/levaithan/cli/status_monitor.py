"""The part of `levaithan status` that says who watches: the monitor, what troubles it, which incidents are open.

Where nothing watches, that is a row of its own, and open incidents are counted from the journal: they do not end with
the process that would have told of them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from levaithan.cli.state import STATE
from levaithan.install import monitoring

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from levaithan.hot.paths import Home

Row = dict[str, Any]
_REMEDIES = {
    "listener": "set LEVAITHAN_METRICS_LISTEN to another port, then `levaithan restart`",
    "rules": "levaithan alerts check",
    "journal": "levaithan doctor",
    "notify": "levaithan action alert",
    "beat": "see that LEVAITHAN_WATCHDOG_URL can be reached from here",
}
"""What the monitor has trouble with -> what to do."""
_NOBODY = "no alerts, and no incidents open by themselves"


def rows(home: Home, answer: dict[str, Any] | None) -> Iterator[Row]:
    """The rows of items `monitor` and `incidents`. answer: what the service said, None when none answers."""
    from levaithan.config import lean
    from levaithan.service import instance

    told = answer.get("monitor") if answer else monitoring.read(home) if instance.running(home) else None
    told = told if isinstance(told, dict) else {}
    if not (answer and told.get("child")) and not lean.load(STATE.home_argument).monitor:
        remedy = "set LEVAITHAN_MONITOR=on in .env, then `levaithan restart`"
        yield _row("monitor", "warn", f"switched off: {_NOBODY}", remedy, watching=False)
    elif answer is None and not told:
        yield _row("monitor", "warn", f"nothing watches: {_NOBODY}", "levaithan start", watching=False)
    elif missed := _missed(answer, told):
        yield missed
    else:
        yield from _watching(told)
        return
    yield from _open(_recorded())


def _missed(answer: dict[str, Any] | None, told: dict[str, Any]) -> Row | None:
    """The row that says that no monitor watches beside a service that runs; None when one does."""
    child, own = told.get("child"), told.get("child") == told.get("pid")
    if answer is None:
        child, own = told.get("pid"), True  # the service hangs: its monitor may still work
    if child and own and not monitoring.late(told):
        return None
    up = (answer or {}).get("uptime_s")
    if isinstance(up, (int, float)) and up < monitoring.BEGINS_S:
        return _row("monitor", "warn", "it begins to watch a moment after the service", "", watching=False)
    last = ((answer or {}).get("loops") or {}).get("monitor", {}).get("last_error")
    age = monitoring.age_s(told)
    if child:
        words = f"it has said nothing for {age:.0f} s: {_NOBODY}" if age is not None and own else f"mute: {_NOBODY}"
    else:
        words = f"it does not run: {_NOBODY}" + (f" ({last})" if last else "")
    return _row("monitor", "fail", words, "levaithan restart", watching=False)


def _watching(told: dict[str, Any]) -> Iterator[Row]:
    """What the monitor cannot do just now, and what it is that operators should look at."""
    failures = told.get("failures") or {}
    for what, failure in failures.items():
        words = f"it cannot {what}: {failure.get('error')}"
        yield _row("monitor", "warn", words, "see logs/service.log; it tries again by itself", **failure)
    for what, why in (told.get("troubles") or {}).items():
        yield _row("monitor", "warn", f"{what}: {why}", _REMEDIES.get(what, "see logs/service.log"))
    yield from _open(told.get("incidents") or {})
    words = f"{told.get('doing')}, {told.get('firing', 0)} alerts firing"
    yield _row("monitor", "warn" if failures else "ok", words, "", watching=True)


def _open(count: Mapping[str, int]) -> Iterator[Row]:
    """A row a severity that incidents are open of."""
    for severity in ("P0", "P1", "P2", "P3"):
        if many := count.get(severity):
            words = f"{many} open incident{'s' if many > 1 else ''} of severity {severity}"
            yield _row("incidents", "fail" if severity in ("P0", "P1") else "warn", words, "levaithan incident list")


def _recorded() -> Mapping[str, int]:
    """Severity -> how many incidents are open, as the ledger and the journal have them."""
    from levaithan.cli import incident_steps

    return Counter(one.severity for one in incident_steps.book().active())


def _row(item: str, state: str, value: str, remedy: str, **data: Any) -> Row:
    """See status.row."""
    return {"item": item, "status": state, "value": value, "remedy": remedy, "data": data}
