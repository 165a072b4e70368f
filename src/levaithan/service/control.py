"""What the service says when it is asked: ping, status, sync, stop, restart_loop. Answers are JSON on stdout.

Imports no asyncio protocol: the server calls `Control.answer` with a request's header and sends what it gives.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from typing import TYPE_CHECKING, Any

import orjson

from levaithan import __version__
from levaithan.hot import gap
from levaithan.hot.wire import pack_answer
from levaithan.journal import read
from levaithan.projector import segments
from levaithan.service.supervisor import stamp
from levaithan.stores.registry import places

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.service.app import App

_POLL_S = 0.01
_LONGEST_SYNC_S = 600.0
_SYNC_S = 5.0
_RESTARTABLE = ("projector",)
_RESTART_S = 12.0


class Control:
    """Answers the control requests of an App."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._answers: dict[str, Callable[[dict[str, str]], Any]] = {
            "ping": self._ping, "status": self._status, "sync": self._sync, "stop": self._stop,
            "restart_loop": self._restart_loop,
        }  # fmt: skip

    async def answer(self, header: dict[str, str]) -> bytes:
        """The answer frame to a control request. Never raises but for cancellation."""
        operation = header.get("op", "")
        make = self._answers.get(operation)
        if make is None:
            known = ", ".join(self._answers)
            return _frame({"ok": False, "error": f"there is no operation {operation[:40]!r}: use one of {known}"}, 1)
        try:
            told = make(header)
            if asyncio.iscoroutine(told):
                told = await told
        except Exception as error:
            self._app.say("a control request failed", level="error", op=operation, error=repr(error))
            told = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        return _frame(told, 0 if told.get("ok") else 1)

    def _ping(self, _header: dict[str, str]) -> dict[str, Any]:
        return {"ok": True, "ready": self._app.ready, "pid": os.getpid(), "version": __version__}

    def _status(self, _header: dict[str, str]) -> dict[str, Any]:
        return status(self._app)

    def _stop(self, _header: dict[str, str]) -> dict[str, Any]:
        self._app.stop("asked to stop")
        return {"ok": True, "pid": os.getpid()}

    async def _restart_loop(self, header: dict[str, str]) -> dict[str, Any]:
        """End the projector's process and start another. The other loops are not for anybody to restart."""
        name = header.get("loop", "")
        if name not in _RESTARTABLE:
            return {"ok": False, "error": f"there is no loop {name[:40]!r} to restart: {', '.join(_RESTARTABLE)}"}
        self._app.say("restarting a loop", loop=name)
        done = await self._app.supervisor.restart(name, _RESTART_S)
        return {"ok": True} if done else {"ok": False, "error": f"the {name} did not end in {_RESTART_S:.0f} s"}

    async def _sync(self, header: dict[str, str]) -> dict[str, Any]:
        """Wait until every store has what is in the journal now."""
        given = header.get("timeout_ms", "")
        wait_s = int(given) / 1000 if given.isascii() and given.isdigit() and len(given) < 12 else _SYNC_S
        until = time.monotonic() + min(wait_s, _LONGEST_SYNC_S)
        end = read.tail(self._app.home.journal)
        head = end.seq if end else 0
        self._app.projection.nudge()
        while True:
            behind = self._behind(head)
            if not behind:
                return {"ok": True, "head": head}
            if time.monotonic() >= until:
                return {"ok": False, "head": head, "error": "; ".join(behind)}
            await asyncio.sleep(_POLL_S)

    def _behind(self, head: int) -> list[str]:
        """The stores that have not reached `head`, in words."""
        stores = self._app.projection.stores()
        late = []
        for name in self._app.stores:
            one = stores.get(name) or {}
            if head and int(one.get("seq") or 0) < head:
                problem = one.get("error")
                told = problem.get("message") if isinstance(problem, dict) else one.get("held")
                why = f" ({told})" if told else ""
                late.append(f"the {name} store is at record {one.get('seq') or 0} of {head}{why}")
        return late


def status(app: App) -> dict[str, Any]:
    """Everything that is known of a running service."""
    projector = app.projection.status()
    decider, server = app.decider, app.server
    return {
        "ok": True,
        "pid": os.getpid(),
        "version": __version__,
        "home": app.home.root,
        "started_at": stamp(app.instance.started_ns / 1e9),
        "uptime_s": round(time.monotonic() - app.instance.began_s, 3),
        "ready": app.ready,
        "stopping": app.stopping,
        "journal": journal_status(app),
        "queue": {"events": server.in_flight, "bytes": server.bytes_in_flight},
        "connections": {"open": len(server.connections), "refused": server.refused},
        "events": {
            "total": sum(decider.decisions.values()), "decisions": dict(decider.decisions),
            "paths": dict(decider.paths), "repeated": decider.repeated, "unrecorded": decider.unrecorded,
        },
        "gate": {"problems": app.gate.problems},
        "settings": {
            "problems": app.conf.problems, "restart_needed": app.restart_needed, "stores": places(app.settings),
        },
        "projector": projector,
        "monitor": app.monitor.status(),
        "loops": app.supervisor.states(),
        "canary": app.chores.canary,
        "sharing": app.sharing.status(),
        "checkpoint": app.sealing.status(),
        "pruned": app.chores.pruner.state,
        "memory": {"rss_bytes": resident()},
        "log": {"lost": app.log.lost},
    }  # fmt: skip


def journal_status(app: App) -> dict[str, Any]:
    """Where the journal is, how large, and what is wrong with it."""
    committer = app.committer
    told: dict[str, Any] = {"seq": committer.head[0], "head": committer.head[1], "found": app.journal.found[-20:]}
    told |= {"last_error": committer.last_error, "opened": app.opened, "id": app.journal.journal, "segment": None}
    told |= {"bytes": 0, "dropped": 0, "failed": committer.failed, "batches": committer.batches}
    told["syncs"] = committer.syncs
    try:
        end = read.tail(app.home.journal)
        told["bytes"] = segments.total_bytes(app.home.journal)
        if end is not None:
            told |= {"seq": end.seq, "head": end.hash, "segment": end.segment}
    except OSError as error:
        told["last_error"] = told["last_error"] or str(error)
    counted = gap.read(app.journal.gap)
    told["dropped"] = counted.dropped if counted else 0
    return told


def resident() -> int:
    """Resident memory of this process, bytes; where the system does not say, the most there ever was."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def _frame(told: dict[str, Any], code: int) -> bytes:
    return pack_answer(code, orjson.dumps(told, default=str, option=orjson.OPT_NON_STR_KEYS), b"")
