"""The service put together: what is made when, what is ready, and how it ends.

The loop and the gate live in the main thread (the gate's time limit is a signal), the journal in the committer's.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from typing import TYPE_CHECKING, Any

import orjson

from levaithan import __version__
from levaithan.errors import NotConfigured
from levaithan.hot import hotconf
from levaithan.hot.ahead import Ahead
from levaithan.hot.gate import Gate
from levaithan.hot.journal import Journal
from levaithan.service import deciding
from levaithan.service.child import Child
from levaithan.service.chores import Chores
from levaithan.service.committer import Committer
from levaithan.service.connection import Connection
from levaithan.service.control import Control
from levaithan.service.instance import BACKLOG
from levaithan.service.log import RotatingFile, make
from levaithan.service.notify import notify
from levaithan.service.projection import Projection
from levaithan.service.sealing import Sealing
from levaithan.service.server import Server
from levaithan.service.sharing import Sharing
from levaithan.service.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from levaithan.config.settings import Settings
    from levaithan.hot.journal import Appended
    from levaithan.hot.paths import Home
    from levaithan.service.instance import Instance

DRAIN_S = 5.0
LOOPS_END_S = 8.0
SWITCH_S = 0.0005
"""How long the loop may hold Python while the committer waits for it; the default, 5 ms, is longer than a sync."""


class App:
    """One service, from claimed instance to its end. `run` is its life."""

    server: Server

    def __init__(self, home: Home, settings: Settings, instance: Instance) -> None:
        self.home = home
        self.settings = settings
        self.instance = instance
        self.log = RotatingFile(home.logs + "/service.log", settings.log_max_bytes, settings.log_backups)
        self.say = make(self.log, settings.log_level)
        self.conf = _conf(home, settings, self.say)
        self.gate = Gate(home, self.conf, deciding.loads, orjson.dumps, resident=True)
        self.journal = Journal(
            home.journal, fsync=self.conf.fsync, segment_bytes=self.conf.segment_bytes,
            max_record_bytes=self.conf.max_record_bytes, machine=self.gate.machine,
            fsync_interval_ms=self.conf.fsync_interval_ms,
            ahead=Ahead(home.journal) if self.conf.fsync == "always" else None,
        )  # fmt: skip
        every_s = self.conf.fsync_interval_ms / 1000 if self.conf.fsync == "interval" else None
        self.committer = Committer(self.journal, self._settled, sync_every_s=every_s)
        self.decider = deciding.Decider(self.gate)
        self.projection = Projection(home, self.say)
        self.monitor = Child("monitor", home, self.say)
        self.sealing = Sealing(home, settings, self.committer, self.say)
        self.sharing = Sharing(home, settings, self.gate, self.say)
        self.supervisor = Supervisor(self.say)
        self.chores = Chores(self)
        self.stores = ("ledger", "search") if settings.search else ("ledger",)
        self.opened = False
        self.listening = False
        self.restart_needed: list[str] = []
        self.stopping: str | None = None
        self.failed = False
        self._abandoned = False
        self._end = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._sick = False

    @property
    def ready(self) -> bool:
        """Whether the socket listens, the gate is loaded, the journal is open and no end is in sight."""
        return self.listening and self.opened and self.stopping is None

    async def run(self, on_ready: Callable[[App], None] | None = None) -> int:
        """Serve until told to stop; the exit code. Raises LevaithanError when it cannot begin."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._fault)
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if one is not signal.SIGHUP or signal.getsignal(one) is not signal.SIG_IGN:  # nohup
                loop.add_signal_handler(one, self.stop, one.name)
        self.server = Server(self.decider, self.committer, Control(self).answer, self.say, self.conf.max_stdin_bytes)
        self.committer.start()
        await self.open_journal()
        self.decider.warm_up()
        self.sharing.start()
        listener = await loop.create_unix_server(
            lambda: Connection(self.server), sock=self.instance.listen(), backlog=BACKLOG
        )
        self.listening = True
        self._announce(on_ready)
        for name, body in self.chores.bodies().items():
            self.supervisor.start(name, body)
        sys.setswitchinterval(SWITCH_S)
        _settle_memory()
        await self._end.wait()
        await self._leave(listener)
        return 1 if self.failed else 0

    def _announce(self, on_ready: Callable[[App], None] | None) -> None:
        self.instance.tell()
        if self.instance.unclean is not None:
            self.say("the service before ended without stopping", level="warning", pid=self.instance.unclean)
        self.say(
            "started", version=__version__, home=self.home.root, ready=self.ready, gate_problems=self.gate.problems,
            journal_error=self.committer.last_error, settings_problems=self.conf.problems,
        )  # fmt: skip
        notify(f"READY=1\nSTATUS={'ready' if self.ready else 'not ready, see levaithan status'}")
        if on_ready is not None:
            on_ready(self)

    async def open_journal(self) -> None:
        """Open the journal; when that fails the service decides without it, says so, and tries again."""
        try:
            await self.committer.job(self.journal.open)
        except OSError as error:
            if not self.committer.last_error:
                self.say("the journal cannot be opened", level="error", error=str(error))
            self.committer.last_error = str(error)
            return
        self.opened = True
        self.committer.last_error = None

    def stop(self, why: str, *, abandoned: bool = False, failed: bool = False) -> None:
        """Begin the end. abandoned: the home or the run folder is no longer ours; failed: the exit code says so."""
        if self.stopping is None:
            self.stopping = why
            self._abandoned, self.failed = abandoned, failed
            self._end.set()

    def _settled(self, batch: Sequence[Any], done: list[Appended] | None, error: BaseException | None) -> None:
        self.server.settled(batch, done, error)
        if error is None:
            self._loop.call_soon(self.projection.nudge)  # answers leave when this turn of the loop is over
        if (error is not None) != self._sick:  # said when it begins and when it is over, not at every event
            self._sick = error is not None
            words = {"level": "error", "error": str(error)} if error is not None else {"level": "info"}
            self.say("events are not recorded" if self._sick else "events are recorded again", **words)

    async def _leave(self, listener: asyncio.AbstractServer) -> None:
        self.say("stopping", why=self.stopping)
        notify("STOPPING=1")
        self.instance.close_socket()
        listener.close()
        drained, _ = await asyncio.gather(self.server.drain(DRAIN_S), self.supervisor.stop(LOOPS_END_S))
        self.sharing.stop()
        if not self._abandoned:
            try:
                await asyncio.wait_for(self.sealing.last(), DRAIN_S)
            except Exception as error:  # a checkpoint less is no reason not to end
                self.say("no checkpoint at the stop", level="warning", error=f"{type(error).__name__}: {error}")
        committed = await self.committer.stop(DRAIN_S)
        if committed:
            self.journal.close()  # first: the next service makes a write-ahead file of its own
        self.instance.leave()
        if not self._abandoned:
            self.say("stopped", drained=drained, committed=committed, events=sum(self.decider.decisions.values()))
        signal.setitimer(signal.ITIMER_REAL, 0)  # the gate's rings once more: not in an interpreter that ends

    def _fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.say("fault", level="error", message=context.get("message"), error=repr(error) if error else None)


def _conf(home: Home, settings: Settings, say: Callable[..., None]) -> hotconf.HotConf:
    """The settings of the hot path, compiled anew, so that the clients and the one-shot have the same ones."""
    from levaithan.config import hotconf as compiling  # noqa: PLC0415

    try:
        compiling.write(home, settings)
    except (OSError, NotConfigured) as error:
        say("hot.conf cannot be written", level="warning", error=str(error))
    return hotconf.read(home.hot_conf)


def _settle_memory() -> None:
    """What is loaded now stays: the collector need not look at it. Events make no cycles, so it looks seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
