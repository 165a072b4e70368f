"""Runs an event through its atomic hooks and combines what they say: `halt > deny > ask > allow`.

Pure checks first, in their order, up to the first halt or deny: what is refused needs no further opinion. Then the
reservations, undone in reverse when the event is refused after all; then the observers, which cannot decide anything. A
check or reservation that crashes or overruns denies where the event is a guard; an observer's failure is only recorded.
Standard library only.
"""

from __future__ import annotations

from time import perf_counter

from levaithan.hot.contract import NEXT_STEP
from levaithan.hot.hook_file import Hook, HookError, say
from levaithan.hot.opinion import VERDICTS, Decision, Opinion
from levaithan.hot.timelimit import Overrun, TimeLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.hotconf import HotConf
    from levaithan.hot.paths import Home
    from levaithan.hot.shared import Shared

_STRENGTH = {verdict: strength for strength, verdict in enumerate(VERDICTS)}
_REFUSED = ("deny", "halt")
_UNDO_LIMIT_S = 0.3
_now = perf_counter


class Context:
    """What a hook may use: home, conf, now_us (wall clock, microseconds), machine, memory (lives as long as the
    process; a hook keeps its things under its own name), complaints (what a hook found wrong with the installation,
    under its name; shown to the user), loads and dumps (the fastest JSON there is), decision (as it stands when a
    reservation or an observer runs; not to be changed), entry (what the record says of this hook, which may add to it),
    shared (what machines share, see shared.py; None without)."""

    __slots__ = (
        "complaints",
        "conf",
        "decision",
        "dumps",
        "entry",
        "home",
        "loads",
        "machine",
        "memory",
        "now_us",
        "shared",
    )

    def __init__(
        self, home: Home, conf: HotConf, loads: Callable[[Any], Any], dumps: Callable[[Any], Any], machine: str = ""
    ) -> None:
        self.home = home
        self.conf = conf
        self.loads = loads
        self.dumps = dumps
        self.machine = machine
        self.memory: dict[str, Any] = {}
        self.complaints: dict[str, list[str]] = {}
        self.decision = Decision()
        self.now_us = 0
        self.entry: dict[str, Any] = {}
        self.shared: Shared | None = None


class Outcome:
    """What came of an event: the decision, one entry a hook ({hook, ms, decision?, rule?, reason?, context?, error?}),
    and notices for the user."""

    __slots__ = ("decision", "hooks", "notices")

    def __init__(self, decision: Decision | None = None) -> None:
        self.decision = decision or Decision()
        self.hooks: list[dict[str, Any]] = []
        self.notices: list[str] = []


class Flow:
    """The loaded hooks of one event, by part."""

    __slots__ = ("checks", "observers", "record", "reserves")

    def __init__(self, parts: dict[str, list[Hook]]) -> None:
        self.checks = parts["checks"]
        self.reserves = parts["reserves"]
        self.observers = parts["observers"]
        self.record = parts["record"]


class Runner:
    """Runs one event; made anew for each."""

    __slots__ = ("context", "event", "limit", "outcome", "taken")

    def __init__(self, event: Event, context: Context, limit: TimeLimit) -> None:
        self.event = event
        self.context = context
        self.limit = limit
        self.outcome = Outcome()
        context.decision = self.outcome.decision
        self.taken: list[Hook] = []

    def run(self, flow: Flow) -> Outcome:
        """The outcome of all parts but `record`. The time limit has begun already; raises Overrun at worst."""
        decision = self.outcome.decision
        for hook in flow.checks:
            self._decide(hook)
            if decision.verdict in _REFUSED:
                break
        else:
            for hook in flow.reserves:
                self._decide(hook, reserve=True)
                if decision.verdict in _REFUSED:
                    break
        for hook in flow.observers:
            self._observe(hook)
        if decision.verdict in _REFUSED and self.taken:
            self.undo()
        return self.outcome

    def _decide(self, hook: Hook, *, reserve: bool = False) -> None:
        entry: dict[str, Any] = {"hook": hook.name}
        self.outcome.hooks.append(entry)
        if reserve:
            self.taken.append(hook)
        opinion = self._call(hook, entry)
        if opinion is None:
            if "error" in entry and self.event.guard:
                self.refuse(hook.name, entry["error"])
            return
        if reserve and opinion.verdict in _REFUSED:
            self.taken.pop()  # it says itself that it took nothing
        entry["decision"] = opinion.verdict
        if opinion.rule:
            entry["rule"] = opinion.rule
        if opinion.reason:
            entry["reason"] = opinion.reason
        self._add_context(opinion, entry)
        decision = self.outcome.decision
        answers = opinion.answers and reserve and decision.verdict == "ask"
        if answers or _STRENGTH[opinion.verdict] > _STRENGTH[decision.verdict] or decision.hook is None:
            decision.granted = answers and opinion.verdict == "allow"
            if decision.granted:
                entry["granted"] = True
            decision.verdict = opinion.verdict
            decision.reason = opinion.reason
            decision.rule = opinion.rule
            decision.hook = hook.name

    def _observe(self, hook: Hook) -> None:
        entry: dict[str, Any] = {"hook": hook.name}
        self.outcome.hooks.append(entry)
        opinion = self._call(hook, entry)
        if opinion is not None:
            if opinion.verdict != "allow":
                entry["error"] = f"an observer cannot {opinion.verdict}: list it under checks"
            elif opinion.rule:
                entry["rule"] = opinion.rule
            self._add_context(opinion, entry)

    def _call(self, hook: Hook, entry: dict[str, Any]) -> Opinion | None:
        limit = self.limit
        began = _now()
        try:
            if hook.error:
                raise HookError(hook.error)
            if began >= limit.until:
                raise Overrun("no time was left for it")
            self.context.entry = entry
            limit.inside = True
            opinion: Opinion | None = hook.function(self.event, self.context)
            limit.inside = False
            ended = _now()
            if ended > limit.until:
                raise Overrun("it took too long")
            if opinion is not None and (type(opinion) is not Opinion or opinion.verdict not in _STRENGTH):
                raise HookError(f"it returned {_said(opinion)} where an Opinion or None is expected")
        except BaseException as error:  # SystemExit too: a hook must not end the gate
            limit.inside = False
            entry["error"] = say(error, hook.path)
            opinion, ended = None, _now()
        entry["ms"] = round((ended - began) * 1000, 3)
        return opinion

    def _add_context(self, opinion: Opinion, entry: dict[str, Any]) -> None:
        if opinion.context:
            entry["context"] = opinion.context
            decision = self.outcome.decision
            decision.context = f"{decision.context}\n{opinion.context}" if decision.context else opinion.context

    def refuse(self, hook: str, why: str) -> None:
        """Deny because `hook` did not do its work; a halt stays a halt."""
        decision = self.outcome.decision
        if decision.verdict != "halt":
            decision.verdict = "deny"
            decision.rule = "hook-failed"
            decision.hook = hook
            decision.reason = (
                f"LevAIthan refuses this {self.event.name}: its hook {hook} failed ({why[:1000]}). {NEXT_STEP}"
            )

    def undo(self) -> None:
        """Give back what was reserved, the last first. An undo must bear being called when nothing was taken."""
        self.limit.end()
        self.limit.begin(_UNDO_LIMIT_S)
        for hook in reversed(self.taken):
            if hook.undo is None:
                continue
            entry: dict[str, Any] = {"hook": hook.name, "undo": True}
            self.outcome.hooks.append(entry)
            began = _now()
            try:
                self.limit.inside = True
                hook.undo(self.event, self.context)
                self.limit.inside = False
            except BaseException as error:
                self.limit.inside = False
                entry["error"] = say(error, hook.path)
            entry["ms"] = round((_now() - began) * 1000, 3)
        self.taken.clear()


def _said(value: object) -> str:
    try:
        return repr(value)[:100]
    except Exception:
        return f"a {type(value).__name__}"
