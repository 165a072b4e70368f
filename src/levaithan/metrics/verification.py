"""When the whole journal was proven last, and with what outcome: `state/verified.json`; and proving it again in time.

`levaithan journal verify` writes it, and so does the monitor, which proves the journal by itself after so many hours,
slowly, beside its work, and at once where records are missing. Records that come in between are held against their hash
as they are read (reading.py).
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.journal.verify import verify
from levaithan.metrics.looks import Look

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.journal.report import Report
    from levaithan.metrics.tally import Tally

FILE = "verified.json"
VERSION = 1
LOOK_S = 60.0
_SHARE = 3.0
"""A slow verification rests so many times as long as it works."""


def note(home: Home, report: Report, begun_s: float) -> None:
    """Keep the outcome of a verification of the home's own journal that began at begun_s. A home that cannot be
    written keeps none: the next one will."""
    found = [
        one for one in report.findings if one.kind != "torn"
    ]  # half a last line: a crash, mended at the next write
    told = {"version": VERSION, "at": begun_s, "ok": not found, "last": report.last, "findings": len(found)}
    path = Path(home.state, FILE)
    fresh = path.with_name(f".{FILE}.{os.getpid()}")
    with contextlib.suppress(OSError):
        fresh.write_bytes(orjson.dumps(told))
        fresh.chmod(0o600)
        fresh.replace(path)


def last(home: Home) -> dict[str, Any] | None:
    """The outcome of the last verification: at (s since 1970), ok, last (record), findings; None for none."""
    try:
        told = orjson.loads(Path(home.state, FILE).read_bytes())
        return {
            "at": float(told["at"]),
            "ok": bool(told["ok"]),
            "last": int(told["last"]),
            "findings": told["findings"],
        }
    except (OSError, ValueError, TypeError, KeyError):
        return None


def slowly(home: Home) -> Report:
    """Verify the home's journal, mostly resting. Raises OSError and ValueError as journal.verify does."""
    begun = time.time()
    worked = time.monotonic()

    def rest(_done: int, _total: int) -> None:
        nonlocal worked
        spent = time.monotonic() - worked
        if spent > 0.01:
            time.sleep(spent * _SHARE)
            worked = time.monotonic()

    key = Path(home.keys, "journal.pub")
    report = verify(home.journal, public_key=key.read_bytes() if key.is_file() else None, progress=rest)
    note(home, report, begun)
    return report


class Verification:
    """The journal's proof. broken_s: when a line was read that does not follow (s since 1970), 0 for never."""

    def __init__(self, home: Home, hours: int, *, threads: bool = True) -> None:
        self.broken_s = 0.0
        self._home = home
        self._asked = False
        self._look = Look("verify", lambda: self._due(hours), LOOK_S, LOOK_S * 1e6)
        if threads:
            self._look.start()

    def ask(self) -> None:
        """Have the journal proven soon, whatever the setting: records are missing, and a prune or a copy that was put
        back is known from a cut by the whole chain only."""
        self._asked = True
        self._look.soon()

    def stop(self) -> None:
        """End the thread; a verification under way is left behind."""
        self._look.stop()

    def collect(self, tally: Tally) -> None:
        """The gauges. A chain that was seen broken is whole again once a later verification finds nothing."""
        self._look.take()
        known = last(self._home)
        if known is not None:
            tally.set("levaithan_journal_verified_timestamp_seconds", (), known["at"])
        whole = known["ok"] and known["at"] > self.broken_s if known is not None else not self.broken_s
        if known is not None and not known["ok"]:
            whole = False
        tally.set("levaithan_journal_chain_ok", (), float(whole))

    def _due(self, hours: int) -> None:
        asked, self._asked = self._asked, False
        known = last(self._home)
        age = time.time() - known["at"] if known is not None else None
        due = asked or (hours > 0 and (age is None or age >= hours * 3600 or age < 0))
        if not (due and Path(self._home.journal).is_dir()):
            return
        try:
            slowly(self._home)
        except (OSError, ValueError):
            self._asked = asked  # at the next look
            raise
