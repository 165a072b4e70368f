"""The small loops of the service: watching its own ground, taking up changed rules, the canary, old sessions.

Each is a function that the supervisor calls again and again; what may wait long runs in a thread of its own.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from levaithan.hot import hotconf, sessions
from levaithan.hot.hook_file import stamp as file_stamp
from levaithan.service.pruning import Pruner
from levaithan.service.supervisor import every, in_thread, stamp

if TYPE_CHECKING:
    from levaithan.service.app import App
    from levaithan.service.supervisor import Body

WATCH_S = 1.0
PRUNE_S = 15.0
SWEEP_S = 3600.0
CANARY_FIRST_S = 3.0
HUNG_S = 60.0
HUNG_LOOK_S = 20.0
MONITOR_FIRST_S = 2.0
"""The monitor has time: what Claude Code waits for comes first."""
_LIVE = ("deadline_ms", "journal_failure", "max_record_bytes")
"""Settings of hot.conf that take effect at once; the journal's need a restart."""
_FIXED = ("fsync", "fsync_interval_ms", "segment_bytes", "max_stdin_bytes")


class Chores:
    """The loops' bodies, and what they found: canary and pruner.state are for status."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.canary: dict[str, Any] = {"at": None, "ok": None, "rows": []}
        self.pruner = Pruner(app)
        self._conf_seen = file_stamp(app.home.hot_conf)
        self._found = 0
        self._hung_pid: int | None = None

    def bodies(self) -> dict[str, Body]:
        """Every loop by its name."""
        app = self.app
        canary_s = app.settings.canary_interval_s or 366 * 86_400
        return {
            "watch": every(WATCH_S, self.watch),
            "journal": every(WATCH_S, self.journal),
            "refresh": every(WATCH_S, self.refresh),
            "projector": app.projection.run,
            "monitor": self.watch_over,
            "hung": every(HUNG_LOOK_S, self.end_hung),
            "sealer": app.sealing.run,
            "export": app.sealing.export,
            "pruner": every(PRUNE_S, self.pruner.prune, first_s=WATCH_S),
            "canary": every(canary_s, self.sing, first_s=CANARY_FIRST_S),
            "sweep": every(SWEEP_S, self.sweep, first_s=WATCH_S),
        }

    def watch(self) -> None:
        """End when the ground is gone: a service without its home, or without its thread, is worse than none."""
        lost = self.app.instance.lost()
        if lost:
            self.app.stop(lost, abandoned=True)
        elif not self.app.committer.alive:
            self.app.stop("the committer's thread ended", failed=True)
        self.app.server.reap()

    async def watch_over(self) -> None:
        """The monitor, where it is not switched off."""
        await asyncio.sleep(MONITOR_FIRST_S)
        if self.app.settings.monitor:
            await self.app.monitor.run()
        else:
            await asyncio.Event().wait()

    def end_hung(self) -> None:
        """A monitor that says nothing any more is ended, so that another begins: who watches is watched. A file's time
        is the wall clock's, so twice in a row is what counts: once a clock was set it is written anew before the next.
        """
        silent_s = self.app.monitor.silent_s()
        hung = silent_s > HUNG_S and self._hung_pid == self.app.monitor.pid
        self._hung_pid = self.app.monitor.pid if silent_s > HUNG_S else None
        if hung:
            self.app.say("the monitor hangs", level="error", silent_s=round(silent_s))
            self.app.monitor.kill()

    async def journal(self) -> None:
        """Open the journal when that failed at the start; say what was found in it."""
        app = self.app
        if not app.opened:
            await app.open_journal()
        found = app.journal.found
        for words in found[self._found :]:
            app.say("journal", level="warning", found=words)
        self._found = len(found)

    def refresh(self) -> None:
        """Take up changed workflows, hooks and live settings. In the loop's thread: the gate is not for two threads."""
        app = self.app
        app.gate.refresh()
        seen = file_stamp(app.home.hot_conf)
        if seen == self._conf_seen:
            return
        self._conf_seen = seen
        fresh = hotconf.read(app.home.hot_conf)
        for key in _LIVE:
            setattr(app.conf, key, getattr(fresh, key))
        app.conf.problems = fresh.problems
        app.restart_needed = [key for key in _FIXED if getattr(fresh, key) != getattr(app.conf, key)]
        app.say("settings changed", restart_needed=app.restart_needed, problems=fresh.problems)

    async def sing(self) -> None:
        """Send the canary through every registered command."""
        from levaithan.install import canary  # noqa: PLC0415 - loads the install room when it is needed

        rows = await in_thread(lambda: canary.run(self.app.home))
        failed = [row for row in rows if row["status"] == "fail"]
        self.canary = {"at": stamp(time.time()), "ok": not failed if rows else None, "rows": rows}
        for row in failed:
            self.app.say("canary", level="error", **row)
        if rows and not failed:
            self.app.say("canary", probes=len(rows))

    async def sweep(self) -> None:
        """Remove what is known of sessions long gone."""
        folder = self.app.home.sessions
        await in_thread(lambda: sessions.sweep(folder, time.time()))
