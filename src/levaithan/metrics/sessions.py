"""What is remembered of sessions while their records go by: heartbeats, agents, refusals, the task under way.

A session can end without a word (SessionEnd may be missing), so it counts as active for QUIET_S after its last event.
At most MOST_SESSIONS are remembered, those heard of last; of the refusals at most MOST_DENIES a session.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from levaithan.metrics import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.metrics.labels import Labels
    from levaithan.metrics.tally import Tally

QUIET_S = 900.0
ABANDONED_S = 86_400.0
MOST_SESSIONS = 10_000
MOST_AGENTS = 256
MOST_DENIES = 256
MOST_DENIED = 2_000
_LONGEST = 200
_BEGINS = frozenset(("SessionStart", "UserPromptSubmit", "Stop"))
"""What calls of the main thread never reach over: a call that begins after one of them was seen from its begin."""
_REFUSED = ("deny", "halt")
_BY_PERSON = frozenset(("clear", "resume", "logout", "prompt_input_exit"))
_HOUR_S = 3600.0


class Session:
    """One session. project: its label; since: the first event that shows it from its begin on (s), 0 before; task:
    when the task under way was begun (s), 0 for none; blocked: whether that met a halt; grace: seconds by which the
    clock was set forward meanwhile."""

    __slots__ = ("agents", "blocked", "grace", "last", "project", "since", "task")

    def __init__(self, project: str) -> None:
        self.project = project
        self.last = 0.0
        self.since = 0.0
        self.task = 0.0
        self.blocked = False
        self.grace = 0.0
        self.agents: dict[str, float] = {}


class Sessions:
    """The sessions of one journal. `settings` may have value_minutes_per_task and value_usd_per_hour."""

    def __init__(self, tally: Tally, labels: Labels, settings: Any = None) -> None:
        self._tally = tally
        self._labels = labels
        self._known: dict[str, Session] = {}
        self._denies: dict[str, deque[tuple[float, bool]]] = {}
        self._task_s = 60.0 * float(getattr(settings, "value_minutes_per_task", 0) or 0)
        self._hour_usd = float(getattr(settings, "value_usd_per_hour", 0) or 0)

    def heard(self, record: Mapping[str, Any], at_s: float) -> None:
        """Take up an event: who lives, which task begins or ends."""
        key = record.get("session_id")
        if key is None or len(key) > _LONGEST:
            return
        one = self._known.get(key)
        if one is None:
            one = self._met(key, record.get("project"))
        one.last = at_s
        name = record["event"]
        agent = record.get("agent_id")
        if agent is not None:
            self._agent(one, agent, name, at_s)
        if not one.since and name in _BEGINS:
            one.since = at_s
        self._turn(key, one, record, at_s)

    def _turn(self, key: str, one: Session, record: Mapping[str, Any], at_s: float) -> None:
        """What the event begins or ends."""
        name = record["event"]
        if name == "SessionStart":
            self._tally.add("levaithan_sessions_total", (one.project,), _began(record))
        elif name == "UserPromptSubmit":
            self._prompt(one, record["decision"], at_s)
        elif name in ("Stop", "StopFailure"):
            if record.get("agent_id") is None:
                self._end(one, "blocked" if one.blocked else "completed" if name == "Stop" else "failed", at_s)
        elif record["decision"] == "halt":
            one.blocked = True
        elif name == "SessionEnd":
            payload = record.get("payload") or {}
            self._end(one, "cancelled" if payload.get("reason") in _BY_PERSON else "failed", at_s)
            del self._known[key]

    def since(self, key: Any) -> float:
        """From when on all calls of the session's main thread were seen from their begin; 0 for not yet."""
        one = self._known.get(key)
        return one.since if one is not None else 0.0

    def denied(self, key: str, at_s: float, *, critical: bool) -> None:
        """A rule refused what the session attempted."""
        if len(key) > _LONGEST:
            return
        found = self._denies.get(key)
        if found is None:
            if len(self._denies) >= MOST_DENIED:
                least = sorted(self._denies, key=lambda one: len(self._denies[one]))
                for one in least[: MOST_DENIED // 4]:
                    del self._denies[one]
            found = self._denies[key] = deque(maxlen=MOST_DENIES)
        found.append((at_s, critical))

    def settle(self, now_s: float) -> None:
        """The gauges at `now_s`, and the tasks that nobody ended."""
        sessions: dict[tuple[str, ...], float] = {}
        agents: dict[tuple[str, ...], float] = {}
        gone = []
        for key, one in self._known.items():
            one.last = min(one.last, now_s)  # an event of a clock that was ahead is of now
            if one.task and now_s - one.task - one.grace >= ABANDONED_S:
                self._end(one, "abandoned", 0.0)
            quiet = now_s - one.last > QUIET_S
            if quiet and not one.task and now_s - one.last > _HOUR_S:
                gone.append(key)
            label = (one.project,)
            sessions[label] = sessions.get(label, 0.0) + (not quiet)
            one.agents = {name: at for name, at in one.agents.items() if now_s - at <= QUIET_S}
            agents[label] = agents.get(label, 0.0) + len(one.agents)
        for key in gone:
            del self._known[key]
        self._tally.replace("levaithan_sessions_active", sessions or {(names.NONE,): 0.0})
        self._tally.replace("levaithan_agents_active", agents or {(names.NONE,): 0.0})
        self._worst(now_s)

    def jumped(self, seconds: float) -> None:
        """The clock was set forward by so many seconds (or the machine slept): no task is older for that."""
        for one in self._known.values():
            if one.task:
                one.grace += seconds

    def _worst(self, now_s: float) -> None:
        """The session with the most refusals, a window and level."""
        longest = max(names.WINDOWS.values())
        worst = {(window, level): 0 for window in names.WINDOWS for level in names.LEVELS}
        for key in list(self._denies):
            kept = [(min(at, now_s), critical) for at, critical in self._denies[key] if now_s - at < longest]
            if not kept:
                del self._denies[key]
                continue
            found = self._denies[key] = deque(kept, maxlen=MOST_DENIES)
            for window, seconds in names.WINDOWS.items():
                recent = [critical for at, critical in found if now_s - at < seconds]
                worst[window, "any"] = max(worst[window, "any"], len(recent))
                worst[window, "critical"] = max(worst[window, "critical"], sum(recent))
        for labels, value in worst.items():
            self._tally.set("levaithan_session_denies_max", labels, value)

    def _met(self, key: str, project: Any) -> Session:
        if len(self._known) >= MOST_SESSIONS:
            oldest = sorted(self._known, key=lambda one: self._known[one].last)
            for one in oldest[: MOST_SESSIONS // 4]:
                del self._known[one]
        made = self._known[key] = Session(self._labels.project(project))
        for name in ("sessions_total", "lease_conflicts_total"):
            self._tally.add("levaithan_" + name, (made.project,), 0.0)
        for outcome in names.OUTCOMES:
            self._tally.add("levaithan_tasks_total", (made.project, outcome), 0.0)
        return made

    def _agent(self, one: Session, agent: str, name: str, at_s: float) -> None:
        if name == "SubagentStop":
            one.agents.pop(agent, None)
        elif agent in one.agents or (len(one.agents) < MOST_AGENTS and len(agent) <= _LONGEST):
            one.agents[agent] = at_s

    def _prompt(self, one: Session, decision: str, at_s: float) -> None:
        """A prompt begins a task; one under way was broken off, for nothing says so when a person interrupts."""
        self._end(one, "blocked" if one.blocked else "cancelled", at_s)
        if decision in _REFUSED:
            self._tally.add("levaithan_tasks_total", (one.project, "blocked"))
        else:
            one.task, one.grace = at_s, 0.0

    def _end(self, one: Session, outcome: str, at_s: float) -> None:
        if not one.task:
            return
        self._tally.add("levaithan_tasks_total", (one.project, outcome))
        if outcome != "abandoned":
            spent = min(max(at_s - one.task, 0.0), ABANDONED_S)
            self._tally.add("levaithan_work_total", ("active_seconds",), spent)
        if outcome == "completed" and self._task_s:
            self._tally.add("levaithan_time_saved_seconds_total", (one.project,), self._task_s)
            if self._hour_usd:
                self._tally.add("levaithan_value_usd_total", (one.project,), self._task_s / 3600 * self._hour_usd)
        one.task, one.blocked = 0.0, False

    def dump(self) -> dict[str, Any]:
        """As JSON takes it."""
        known = {
            key: [one.project, one.last, one.since, one.task, one.blocked, one.grace, one.agents]
            for key, one in self._known.items()
        }
        return {"known": known, "denies": {key: list(found) for key, found in self._denies.items()}}

    def load(self, dumped: dict[str, Any]) -> None:
        """Go on from a dump. Raises ValueError, TypeError and KeyError for what is none."""
        self._known, self._denies = {}, {}
        for key, (project, last, since, task, blocked, grace, agents) in list(dumped["known"].items())[:MOST_SESSIONS]:
            one = self._known[key] = Session(str(project))
            one.last, one.since, one.task, one.grace = float(last), float(since), float(task), float(grace)
            one.blocked = bool(blocked)
            one.agents = {str(name): float(at) for name, at in list(agents.items())[:MOST_AGENTS]}
        for key, found in list(dumped["denies"].items())[:MOST_DENIED]:
            self._denies[key] = deque([(float(at), bool(critical)) for at, critical in found], maxlen=MOST_DENIES)


def _began(record: Mapping[str, Any]) -> float:
    """1 for the start of a session; one that was cleared or compacted only goes on."""
    payload = record.get("payload")
    return float(type(payload) is dict and payload.get("source") in ("startup", "resume"))
