"""The small loops of the service: watching its own ground, taking up changed rules, pruning, the canary, old sessions.

Each is a function that the supervisor calls again and again; what may wait long runs in a thread of its own.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from levaithan.hot import hotconf, segments, sessions
from levaithan.hot.workflow import stamp as file_stamp
from levaithan.journal import read
from levaithan.service.supervisor import every, in_thread, stamp

if TYPE_CHECKING:
    from levaithan.service.app import App
    from levaithan.service.supervisor import Body

WATCH_S = 1.0
PRUNE_S = 15.0
SWEEP_S = 3600.0
CANARY_FIRST_S = 3.0
_LIVE = ("deadline_ms", "journal_failure", "max_record_bytes")
"""Settings of hot.conf that take effect at once; the journal's need a restart."""
_FIXED = ("fsync", "fsync_interval_ms", "segment_bytes", "max_stdin_bytes")


class Chores:
    """The loops' bodies, and what they found: canary and pruned are for status."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.canary: dict[str, Any] = {"at": None, "ok": None, "rows": []}
        self.pruned: dict[str, Any] = {"at": None, "removed": 0, "held_by": []}
        self._conf_seen = file_stamp(app.home.hot_conf)
        self._found = 0

    def bodies(self) -> dict[str, Body]:
        """Every loop by its name."""
        app = self.app
        canary_s = app.settings.canary_interval_s or 366 * 86_400
        return {
            "watch": every(WATCH_S, self.watch),
            "journal": every(WATCH_S, self.journal),
            "refresh": every(WATCH_S, self.refresh),
            "projector": app.projection.run,
            "sealer": app.sealing.run,
            "export": app.sealing.export,
            "pruner": every(PRUNE_S, self.prune, first_s=WATCH_S),
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

    async def prune(self) -> None:
        """Keep the journal within its bound, as far as the stores have it."""
        from levaithan.journal import prune  # noqa: PLC0415

        app, most = self.app, self.app.conf.journal_max_bytes
        if not most or journal_bytes(app.home.journal) <= most:
            self.pruned["held_by"] = []
            return
        delivered = self.delivered()
        done = await app.committer.job(lambda: prune.prune(app.home.journal, most, delivered, app.journal))
        if done.held_by != self.pruned["held_by"]:
            app.say("pruning", level="warning" if done.held_by else "info", left=done.left, held_by=done.held_by)
        self.pruned["held_by"] = done.held_by
        if done.removed:
            self.pruned |= {"at": stamp(time.time()), "removed": self.pruned["removed"] + len(done.removed)}
            app.say("pruned", removed=done.removed, bytes=done.bytes, left=done.left)

    def delivered(self) -> dict[str, read.Position | None]:
        """How far each store has read, as the projector that runs now says; None when it does not."""
        told = self.app.projection.status()
        stores = told.get("stores") if told.get("pid") == told.get("child") else None
        positions: dict[str, read.Position | None] = dict.fromkeys(self.app.stores)
        for name in self.app.stores:
            one = stores.get(name) if isinstance(stores, dict) else None
            if isinstance(one, dict) and isinstance(one.get("segment"), str) and isinstance(one.get("offset"), int):
                positions[name] = read.Position(one["segment"], one["offset"])
        return positions

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


def journal_bytes(directory: str) -> int:
    """Bytes of all segments."""
    try:
        return sum(os.stat(f"{directory}/{name}").st_size for name in segments.listing(directory)[0])  # noqa: PTH116
    except OSError:
        return 0
