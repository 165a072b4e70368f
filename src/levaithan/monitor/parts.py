"""What the monitor is made of, and how one part hands on to the next: figures, rules, incidents, actions, messages.

All of it belongs to the monitor's one thread, but for the listener's, which leave what comes in a queue.
"""

from __future__ import annotations

import time
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from levaithan.actions import readings
from levaithan.actions.notify import Notifier
from levaithan.actions.runner import Runner
from levaithan.detectors import shown, tuning
from levaithan.detectors.evaluator import Evaluator
from levaithan.detectors.log_patterns import LogPatterns
from levaithan.detectors.signal import WATCHDOG
from levaithan.detectors.watch import Watch, standing
from levaithan.detectors.watchdog import Watchdog
from levaithan.errors import LevaithanError
from levaithan.hot import modes
from levaithan.hot.gate import machine_id
from levaithan.hot.hook_file import stamp
from levaithan.incidents import alertmanager
from levaithan.incidents.companion import Companion
from levaithan.incidents.engine import Engine
from levaithan.install import alertmanager_token
from levaithan.install.watched import outside
from levaithan.metrics.vitals import KEPT, P99, Vitals
from levaithan.metrics.watching import Watching
from levaithan.monitor.addresses import Addresses
from levaithan.monitor.arrivals import Arrivals
from levaithan.monitor.beat import Beat
from levaithan.monitor.outward import Outward
from levaithan.monitor.past_guard import PastGuard
from levaithan.monitor.writing import Writer
from levaithan.projector import status
from levaithan.stores.address import mark, marks

if TYPE_CHECKING:
    from levaithan.detectors.rules import Rules
    from levaithan.detectors.signal import Signal
    from levaithan.hot.paths import Home

FORMAT = 1


class Parts:
    """The parts of one home's monitor. Raises what reading the rules and the settings raises."""

    def __init__(self, home: Home, settings: Any) -> None:
        self.home = home
        self.settings = settings
        self.watching = Watching(home, settings, outside=outside(home))
        self.past_guard = PastGuard(home, settings)
        self.companion = Companion(home, settings)
        self._tuned = stamp(home.context + tuning.FILE)
        self._by(tuning.load(home.context))
        self.writer = Writer(home, machine_id(home))
        self.notifier = Notifier(home, settings, self.writer.write)
        self.engine = Engine(self.writer.write, settings, alike=self._alike)
        self.vitals = Vitals(self.watching.tally)
        self.runner = self._runner()
        self.addresses = Addresses(marks(settings))
        self.beat = Beat(settings.watchdog_url)
        self.outward = Outward(self.watching, settings, machine_id(home))
        self.sent = Arrivals()
        self.firing = 0
        self.unshown = ""
        self._ticked = time.monotonic()
        self._made_up = False
        self._go_on(self.watching.more)

    def _by(self, rules: Rules) -> None:
        """Make what works by rules."""
        self.rules = rules
        self.evaluator = Evaluator(rules)
        self.log = LogPatterns(rules, lambda: modes.is_off(self.home, modes.LOG_PATTERNS), self._new_pattern)
        critical = self.watching.fold.labels.critical
        self.watch = Watch([*standing(rules, critical, self.past_guard.rows), self.log])
        self.watchdog = next(one for one in self.watch.detectors if isinstance(one, Watchdog))

    def _runner(self) -> Runner:
        return Runner(self.home, self.settings, self.writer.write, tell=self.notifier.tell, look=self._readings)

    def _readings(self) -> dict[str, float]:
        """What actions are verified by: the machine's readings, and how slow the hooks were in the last minute."""
        slow = self.vitals.last(P99, time.time())
        return readings.look(self.home) | ({} if slow is None else {readings.GATE_P99: slow})

    def _new_pattern(self, level: str, component: str) -> None:
        self.watching.tally.add("levaithan_log_pattern_new_total", (level, component))

    def retune(self, now_s: float) -> list[Signal]:
        """Take up alerts.toml when it has changed: other rules, the same samples and the same memory. What fires of a
        rule that is switched off now comes back as ended."""
        seen = stamp(self.home.context + tuning.FILE)
        if seen == self._tuned:
            return []
        self._tuned = seen
        before, watched = self.evaluator, self.watch.dump()
        self._by(tuning.load(self.home.context))
        self.evaluator.load(before.dump())
        self.watch.load(watched)
        return before.ended(self.evaluator.active, now_s)

    def own(self) -> bool:
        """Whether this is the one monitor of the home. Raises OSError."""
        return self.watching.own()

    def start(self) -> None:
        """Begin to listen, and to ask."""
        self.outward.listen(self.take_alerts, lambda: alertmanager_token.read(self.home))
        self.past_guard.start()
        self.companion.start()

    def stop(self) -> None:
        """End all threads."""
        self.outward.stop()
        self.past_guard.stop()
        self.companion.stop()
        self.runner.close()
        self.writer.close()
        self.watching.stop()

    def take(self, record: dict[str, Any], at_s: float) -> None:
        """One record of the journal, of `at_s` (seconds since 1970), for those that follow it beside the figures."""
        if record.get("kind") == "event":
            self.watch.take(record, at_s)
        else:
            self.engine.fold(record)
            self.runner.fold(record)

    def forget(self) -> None:
        """The journal is read from its start: what was folded of it is forgotten."""
        self.evaluator.forget()
        self.engine = Engine(self.writer.write, self.settings, alike=self._alike)
        self.engine.left = self.addresses.left
        self.runner.close()
        self.runner = self._runner()

    def take_alerts(self, payload: bytes) -> tuple[HTTPStatus, str]:
        """What Alertmanager sent, in the listener's thread; what is answered to it."""
        try:
            signals = alertmanager.parse(payload)
        except LevaithanError as problem:
            return HTTPStatus.BAD_REQUEST, f"{problem}; {problem.fix}"
        if not self.sent.put(signals):
            return HTTPStatus.SERVICE_UNAVAILABLE, "too many alerts wait to be taken: send these again"
        return HTTPStatus.OK, f"{len(signals)} alerts"

    def sample(self, at_s: float) -> None:
        """Keep how all figures stood at `at_s` (seconds since 1970, event time)."""
        tally = self.watching.tally
        self.evaluator.observe(at_s, tally.series(young=1))
        tally.grow()

    def look(self, now_s: float) -> None:
        """A sample of all figures, and what follows from it."""
        self.watching.tally.set("levaithan_detector_last_run_timestamp_seconds", (), now_s)
        ended = self.retune(now_s) + self._leave(now_s)
        self.sample(now_s)
        self.vitals.look(now_s)
        self.log.read(self.watching.gauges.log.lines, now_s)
        found = self.watch.signals(now_s)
        signals = ended + found + (self.evaluator.evaluate(now_s) if self.settings.alert_evaluation else [])
        evaluated = bool(self.settings.alert_evaluation)
        self._show(shown.snapshot(self.evaluator, found, now_s, self.rules, evaluated=evaluated))
        self.firing = sum(one.firing and one.alert != WATCHDOG for one in signals)
        self.answer(signals, now_s)

    def _show(self, snapshot: dict[str, Any]) -> None:
        """Put it where `alerts list` looks. A disk that is full is what may fire: it keeps no incident from opening."""
        try:
            shown.write(self.home, snapshot)
        except OSError as problem:
            self.unshown = f"what fires cannot be shown: {problem}"
        else:
            self.unshown = ""

    def answer(self, signals: list[Signal], now_s: float) -> None:
        """Incidents from signals, actions from incidents, messages from both. Also with no signal: timers lapse, and
        what came from outside is taken."""
        for record in self.companion.told():
            self.engine.fold(record)
        changes = self.engine.take([*signals, *self._arrived(now_s)], now_s)
        changes += self.engine.tick(now_s)
        for one, sessions in self.companion.near():
            self.engine.relate(one, sessions, now_s)
        self.companion.hear(changes)
        if not self._made_up:
            self._made_up = True
            self.companion.make_up(self.engine.open())
        self.runner.respond(changes, now_s)
        self.runner.tick(now_s)
        self.notifier.tick()
        passed, self._ticked = time.monotonic() - self._ticked, time.monotonic()
        self.beat.passed(passed)

    def _alike(self, session: str) -> set[str]:
        """The sessions that touched the same files; none where the graph cannot say so."""
        try:
            return self.companion.alike(session)
        except LevaithanError:
            return set()

    def _arrived(self, now_s: float) -> list[Signal]:
        """What Alertmanager sent since the last time, but for what fires here with the session in it. What is over is
        heard all the same: an incident that Alertmanager opened first would go on without end."""
        return [
            one for one in self.sent.take()
            if not self.watchdog.heard(one) and not (one.firing and self.watch.says(one.alert, now_s))
        ]  # fmt: skip

    def keep(self) -> None:
        """Put everything that is known into the home, with the place in the journal that it belongs to. Raises
        OSError."""
        self.watching.save(
            {
                "format": FORMAT, "evaluator": self.evaluator.dump(), "watch": self.watch.dump(),
                "incidents": self.engine.dump(), "actions": self.runner.dump(), KEPT: self.vitals.dump(),
                "addresses": self.addresses.dump(),
            }
        )  # fmt: skip

    def _go_on(self, kept: dict[str, Any]) -> None:
        """Go on from what was kept. Incidents and actions of which nothing can be read are folded anew, with all; so
        are those that a place in the journal was kept without."""
        if kept.get("format") != FORMAT:
            self.watching.begin_anew()
            return
        self.addresses.load(kept.get("addresses"))
        self.evaluator.load(kept.get("evaluator") or {})
        self.watch.load(kept.get("watch") or {})
        self.vitals.load(kept.get(KEPT))
        if not (self.engine.load(kept.get("incidents") or {}) and self.runner.load(kept.get("actions") or {})):
            self.watching.begin_anew()
            self.forget()

    def _leave(self, now_s: float) -> list[Signal]:
        """What fires about an address that nothing uses any more, as having ended: not the settings, nor the projector,
        which goes on at the one it began with."""
        self.addresses.see({store: mark(where) for store, where in status.places(self.home).items()}, now_s)
        before, self.engine.left = self.engine.left, self.addresses.left
        return self.evaluator.drop(self.addresses.over, now_s) if self.engine.left.keys() - before.keys() else []

    def tell(self) -> dict[str, Any]:
        """For the status: what fires, which incidents are open, what could not be sent or written."""
        troubles = {
            "metrics": self.watching.found, "rules": "; ".join(self.rules.problems),
            "evaluation": "; ".join(f"{name}: {why}" for name, why in self.evaluator.failed.items()),
            "shown": self.unshown, "journal": self.engine.trouble,
            "notify": self.notifier.trouble, "beat": self.beat.error,
            **self.outward.troubles(), **self.companion.troubles,
        }  # fmt: skip
        return {
            "listening": self.outward.address, "firing": self.firing, "mode": modes.look(self.home)["mode"],
            "stores": self.watching.gauges.stores.seen(self.watching.tally),
            "incidents": dict(Counter(one.severity for one in self.engine.open())),
            "timers": {
                one.id: [round(one.waited_s, 1), round(one.paged_s, 1), round(one.quiet_s, 1)]
                for one in self.engine.open()[:200]
            },
            "alerts": self.evaluator.states()[:200], "troubles": {name: why for name, why in troubles.items() if why},
        }  # fmt: skip
