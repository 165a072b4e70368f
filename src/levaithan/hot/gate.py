"""The gate: an event in, a decision and its record out. One in a process, the same in the service and in the one-shot.

It owns the loaded workflows and reloads what changed; a broken file keeps the last good set in force and is said. It
never raises: whatever goes wrong on a guard is a deny with a reason. Standard library only.
"""

from __future__ import annotations

import os

from levaithan.hot import bounded, flows, record
from levaithan.hot.contract import bad_input
from levaithan.hot.hook_file import Hook, load_hook, say, stamp
from levaithan.hot.opinion import Decision
from levaithan.hot.paths import regular
from levaithan.hot.plain_json import dumps as plain_dumps
from levaithan.hot.plain_json import loads as plain_loads
from levaithan.hot.timelimit import Overrun, TimeLimit
from levaithan.hot.workflow import Context, Flow, Outcome, Runner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.flush import Flushes
    from levaithan.hot.hotconf import HotConf
    from levaithan.hot.paths import Home
    from levaithan.hot.shared import Shared

_TOLD = frozenset(("SessionStart", "UserPromptSubmit"))
"""Where the user hears of a broken installation: at every tool call it would be noise."""
_SMALL = 256 << 10
_ENCODE_LIMIT_S = 1.5


class Gate:
    """Decides events. `loads` and `dumps` are the JSON functions to use (orjson's, in the service).

    resident: the process does this all day and leaves SIGALRM to the gate.
    """

    def __init__(
        self,
        home: Home,
        conf: HotConf,
        loads: Callable[[Any], Any] = plain_loads,
        dumps: Callable[[Any], Any] = plain_dumps,
        *,
        resident: bool = False,
    ) -> None:
        self.home = home
        self.conf = conf
        self.machine = machine_id(home)
        self._context = Context(home, conf, loads, dumps, self.machine)
        self._dumps = dumps
        self._limit = TimeLimit(resident=resident)
        self._hooks: dict[tuple[str, str], Hook] = {}
        self._broken: dict[str, str] = {}
        self._loaded: dict[str, Flow] = {}
        self._file = home.context + "/workflows.toml"
        self._seen = stamp(self._file)
        self._flows, self._flow_problem = flows.load(home)

    @property
    def problems(self) -> list[str]:
        """What is wrong with workflows, hooks and what hooks rely on, in words; for the user, status and doctor."""
        found = [self._flow_problem] if self._flow_problem else []
        for name, why in self._broken.items():
            found.append(f"the hook {name} cannot be used: {why}; correct it or run `levaithan doctor --fix`")
        for said in self._context.complaints.values():
            found += said
        return found

    def share(self, shared: Shared | None) -> None:
        """What machines share while they decide, for the hooks; None: this one decides by itself."""
        self._context.shared = shared

    @property
    def flushes(self) -> Flushes | None:
        """What is waited for before an event is decided; None while no session is near a limit."""
        found: Flushes | None = self._context.memory.get("flushes")
        return found if found is not None and found.sessions else None

    def decide(self, event: Event) -> tuple[Outcome, bytes]:
        """The outcome of `event` and the body of its record, redacted, without seq. Never raises."""
        context = self._context
        context.now_us = event.received_ns // 1000
        if event.problem is not None:
            outcome = Outcome(bad_input(event))
            entry = record.build(event, outcome, context)
        else:
            outcome, entry = self._run(event, context)
        if event.name in _TOLD:
            outcome.notices += [f"LevAIthan: {problem}" for problem in self.problems[:3]]
        return outcome, self._body(event, outcome, entry)

    def _run(self, event: Event, context: Context) -> tuple[Outcome, dict[str, Any]]:
        limit = self._limit
        runner = Runner(event, context, limit)
        outcome = runner.outcome
        entry: dict[str, Any] | None = None
        limit.begin(self.conf.deadline_ms / 1000)
        try:
            flow = self._flow(event.name)
            if flow is None:
                if event.guard:
                    runner.refuse("workflows", self._flow_problem or "there are no workflows")
            else:
                runner.run(flow)
                _never_trap(event, outcome.decision)
                entry = self._record(flow, event, outcome)
        except BaseException as error:  # between two hooks, or while they were loaded
            outcome.hooks.append({"hook": "workflow", "ms": 0, "error": say(error, __file__)})
            if event.guard:
                runner.refuse("workflow", say(error, __file__))
        finally:
            limit.end()
        return outcome, entry if entry is not None else record.build(event, outcome, context)

    def _record(self, flow: Flow, event: Event, outcome: Outcome) -> dict[str, Any] | None:
        """The record as the record hooks make it; None (the plain one is made) when one of them fails."""
        entry: dict[str, Any] = {}
        for hook in flow.record:
            try:
                if hook.error:
                    raise RuntimeError(hook.error)
                self._limit.inside = True
                made = hook.function(event, outcome, self._context)
                self._limit.inside = False
                entry.update(made)
            except BaseException as error:
                self._limit.inside = False
                outcome.hooks.append({"hook": hook.name, "ms": 0, "error": say(error, hook.path)})
                return None
        return entry if entry.get("kind") == "event" and entry.get("id") == event.id else None

    def _body(self, event: Event, outcome: Outcome, entry: dict[str, Any]) -> bytes:
        size, most = len(event.raw), self.conf.max_record_bytes
        if size <= _SMALL:
            try:
                return bounded.encode(entry, self._dumps, size, most)
            except Exception as error:
                return self._without_payload(event, outcome, say(error, __file__))
        self._limit.begin(_ENCODE_LIMIT_S)
        try:
            self._limit.inside = True
            return bounded.encode(entry, self._dumps, size, most)
        except BaseException as error:
            self._limit.inside = False
            return self._without_payload(event, outcome, say(error, __file__))
        finally:
            self._limit.end()

    def _without_payload(self, event: Event, outcome: Outcome, why: str) -> bytes:
        """What can be recorded of an event whose payload could not be made safe to write."""
        mark = {"_cut": len(event.raw), "sha256": bounded.sha256_hex(event.raw)}
        event.notes.append(f"the payload was left out: {why}")
        payload, event.payload = event.payload, {}
        try:
            entry = record.build(event, outcome, self._context)
        finally:
            event.payload = payload
        entry.pop("raw", None)
        entry["payload"] = mark
        return bounded.encode(entry, plain_dumps, 0, self.conf.max_record_bytes)

    def _flow(self, name: str) -> Flow | None:
        flow = self._loaded.get(name)
        if flow is None and self._flows is not None:
            names = self._flows.get(name) or self._flows[flows.DEFAULT]
            flow = Flow({part: [self._hook(part, hook) for hook in names[part]] for part in flows.PARTS})
            if len(self._loaded) < 256:  # names come from outside: a flood of invented ones must not fill the memory
                self._loaded[name] = flow
        return flow

    def _hook(self, part: str, name: str) -> Hook:
        key = ("record" if part == "record" else "hook", name)
        hook = self._hooks.get(key)
        if hook is None:
            self._limit.inside = True
            try:
                hook = load_hook(name, f"{self.home.hooks}/{name}.py", key[0])
            except Overrun as error:
                hook = Hook(name, f"{self.home.hooks}/{name}.py")
                hook.error = say(error, hook.path)  # refresh() tries a broken hook again
            self._limit.inside = False
            self._hooks[key] = hook
            if hook.error:
                self._broken[name] = hook.error
        return hook

    def refresh(self) -> None:
        """Take up changed workflows and hooks; when nothing changed it is a stat a file. Never raises."""
        seen = stamp(self._file)
        if seen != self._seen:
            self._seen = seen
            fresh, self._flow_problem = flows.load(self.home)
            if fresh is not None:
                self._flows = fresh
                self._loaded.clear()
        for key, hook in list(self._hooks.items()):
            now = stamp(hook.path)
            if now != hook.seen or hook.error:
                self._reload(key, hook, now)
        for name in ("policy", "charter"):
            self._context.memory.pop(name, None)

    def _reload(self, key: tuple[str, str], old: Hook, now: tuple[int, int, int] | None) -> None:
        self._limit.begin(self.conf.deadline_ms / 1000)
        try:
            self._limit.inside = True
            new = load_hook(old.name, old.path, key[0], fresh=True)
        except Overrun as error:
            new = Hook(old.name, old.path)
            new.error = say(error, old.path)
        finally:
            self._limit.end()
        if new.error and not old.error:
            old.seen = now
            self._broken[old.name] = f"{new.error} (until then the last good one stays in force)"
            return
        self._hooks[key] = new
        self._loaded.clear()
        self._broken.pop(old.name, None)
        if new.error:
            self._broken[old.name] = new.error


def _never_trap(event: Event, decision: Decision) -> None:
    """A client that already goes on because a stop was blocked must be let go, or it never ends."""
    if event.name in ("Stop", "SubagentStop") and event.payload.get("stop_hook_active") is not False:
        decision.context = None
        if decision.verdict in ("deny", "ask"):
            decision.verdict = "allow"


def machine_id(home: Home) -> str:
    """The name of this machine in records: H/state/machine-id, else the host's name."""
    try:
        with open(home.state + "/machine-id", encoding="utf-8", errors="replace", opener=regular) as file:
            text = file.read(64).strip()
    except OSError:
        text = ""
    return text or os.uname().nodename
