"""Checks of who watches: whether the monitor runs, when it last looked, which incidents are open, what nobody was told.

Reads what the monitor tells in run/: its room is above this one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from levaithan.actions import fallback
from levaithan.actions.outbox import Outbox
from levaithan.config import lean, settings
from levaithan.detectors import shown
from levaithan.incidents import notes
from levaithan.install import monitoring
from levaithan.install.finding import Result
from levaithan.queries.notes import up_to_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.paths import Home
    from levaithan.install.finding import Asked

_SERIOUS = {"P0": "fail", "P1": "warn"}
_NOBODY = "no alert fires, no incident opens and nothing is done by itself"


def monitor(asked: Asked) -> Iterator[Result]:
    """Whether anybody watches, and when last. Raises NotConfigured for settings that cannot be read."""
    chosen = settings.load(asked.home.root)
    if not chosen.monitor:
        words = f"switched off by LEVAITHAN_MONITOR: {_NOBODY}"
        yield Result("monitor", "warn", words, "set LEVAITHAN_MONITOR=on in .env, then `levaithan restart`")
        return
    told = monitoring.read(asked.home) or {}
    if not monitoring.runs(told):
        words = f"it does not run{_last(asked.home)}: {_NOBODY}"
        yield Result("monitor", "warn", words, "levaithan start; where the service runs already: levaithan restart")
        return
    silent_s = monitoring.age_s(told)
    if monitoring.late(told):
        since = "" if silent_s is None else f" for {silent_s:.0f} s"
        yield Result("monitor", "fail", f"it has told nothing{since}: {_NOBODY}", "levaithan restart")
        return
    words = f"it is {told.get('doing')}{_last(asked.home)}"
    if not chosen.alert_evaluation:
        words += "; LEVAITHAN_ALERT_EVALUATION=off leaves the rules to Prometheus"
    yield Result("monitor", "ok", words)


def undelivered(asked: Asked) -> Iterator[Result]:
    """The messages that no channel has taken, and those that are tried still."""
    missed, waiting = len(fallback.last(asked.home)), len(Outbox(asked.home).waiting())
    if missed:
        count = "1 message was" if missed == 1 else f"{missed} messages were"
        words = f"{count} taken by no channel, see {fallback.path_of(asked.home)}"
        remedy = "levaithan action seen shows them and sets them aside; levaithan action alert tries each channel"
        yield Result("undelivered", "warn", words, remedy)
    elif waiting:
        yield Result("undelivered", "ok", f"{waiting} messages wait for their channel, and are tried again")
    else:
        yield Result("undelivered", "ok", "nothing that people should have been told")


def incidents(asked: Asked) -> Iterator[Result]:
    """The incidents that are open, and which is the most serious. Raises NotConfigured, OSError."""
    records, _ = up_to_now(asked.home, lean.load(asked.home.root), *notes.KINDS)
    found = notes.of_records(records).active()
    if not found:
        yield Result("incidents", "ok", "none is open")
        return
    worst, counts = found[0], Counter(one.severity for one in found)
    words = (
        f"{len(found)} {'is' if len(found) == 1 else 'are'} open ({', '.join(f'{n} {of}' for of, n in counts.items())})"
    )
    words += f", the most serious {worst.id}, {worst.severity}: {worst.title}"
    told = {"open": dict(counts), "incident": worst.id, "severity": worst.severity}
    status = _SERIOUS.get(worst.severity, "ok")
    yield Result("incidents", status, words, f"levaithan incident show {worst.id}", data=told)


def _last(home: Home) -> str:
    age_s = shown.age_s(shown.read(home))
    return ", and has looked at no alert yet" if age_s is None else f", and last looked {max(0.0, age_s):.0f} s ago"


CHECKS = {"monitor": monitor, "incidents": incidents, "undelivered": undelivered}
