"""Pace: how fast a session may go, what loops, and the wait after the API has said that it is too much (429).

Quotas are sliding windows of a minute (windows.py), loops are runs of the same call (loops.py); both count only what
every check let pass, and give back what a later reservation refuses. In the service they are in memory: a restart
forgets the last minute and the runs under way. Without a service each session has a file in `state/pace`. The back-off
is of the account, so it is a file of the home (backoff.py) and outlives both. Standard library only.
"""

from __future__ import annotations

import time

from levaithan.hot import charter, loops, windows
from levaithan.hot.opinion import Opinion
from levaithan.hot.paths import fnv1a64
from levaithan.hot.sessions import file_name, sweep
from levaithan.hot.state_file import StateFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.workflow import Context

    State = dict[str, Any]
    """Of a session or a project: {"windows": {name: Window}, "runs": {agent: Run}}"""

_SESSIONS = 4096
_NAMES = 512
_SECOND = 1_000_000
_STARTS = ("Agent", "Task")
"""Tools that start another loop of calls to the model."""
_REFUSED = ("deny", "halt")
_QUOTAS = {
    "calls": "calls_per_minute",
    "agent": "calls_per_minute_by_agent",
    "tool": "calls_per_minute_by_tool",
    "project": "calls_per_minute_by_project",
}
_DENIALS = {
    "denials": "denials_per_minute",
    "denials_agent": "denials_per_minute_by_agent",
    "denials_tool": "denials_per_minute_by_tool",
    "denials_project": "denials_per_minute_by_project",
}
_TOKENS = ("tokens_per_minute", "tokens_per_minute_by_agent", "tokens_per_minute_by_project")
_SHARED = ("calls_per_minute_by_project", "denials_per_minute_by_project")
_SLOWER = "do fewer, larger steps"
_LISTEN = "read why they were refused and do something else, or ask the user"
_WORDS = {
    "calls": ("calls of this session", _SLOWER),
    "agent": ("calls of this agent", _SLOWER),
    "tool": ("calls of this tool", _SLOWER),
    "project": ("calls in this project", _SLOWER),
    "denials": ("calls of this session were refused", _LISTEN),
    "denials_agent": ("calls of this agent were refused", _LISTEN),
    "denials_tool": ("calls of this tool were refused", _LISTEN),
    "denials_project": ("calls in this project were refused", _LISTEN),
}


def reserve(event: Event, context: Context) -> Opinion | None:
    """What the pace says to `event`, which counts when it may pass."""
    context.memory.pop("pace_taken", None)
    session = event.session_id
    if not session or event.canary:
        return None
    pace = charter.of(event, context).pace
    if not pace["enabled"]:
        return None
    if event.name != "PreToolUse" or event.tool_name in _STARTS:
        from levaithan.hot import backoff

        held = backoff.held(context, pace)
        if held or event.name != "PreToolUse":
            return held
    if any(pace[setting] for setting in _TOKENS):
        from levaithan.hot import token_pace

        over = token_pace.over(event, context, pace)
        if over:
            return over
    by_project = any(pace[setting] for setting in _SHARED)
    said: list[Opinion | None] = [None]

    def work(state: State, project: State) -> bool:
        said[0], counted = _admit(event, context, pace, state, project)
        return counted

    with_states(event, context, work, by_project=by_project)
    if context.shared is not None and by_project:
        from levaithan.hot import shared_pace

        return shared_pace.ask(event, context, pace, said[0])
    return said[0]


def give_back(event: Event, context: Context) -> None:
    """Undo: the event was refused after all, so it does not count."""
    taken = context.memory.pop("pace_taken", None)
    if taken is None or taken[0] != event.id:
        return
    if context.shared is not None:
        from levaithan.hot import shared_pace

        shared_pace.take_back(event, context)
    _, names, agent, run = taken

    def work(state: State, project: State) -> bool:
        for kind, name in names:
            window = (project if kind == "project" else state).get("windows", {}).get(name)
            if window:
                windows.take_back(window)
        if agent is not None:
            state.setdefault("runs", {})[agent] = run
        return True

    with_states(event, context, work, by_project=any(kind == "project" for kind, _ in names))


def watch(event: Event, context: Context) -> None:
    """Observe: what was refused, and what the API said at the end of a turn."""
    if event.name in ("Stop", "StopFailure"):
        from levaithan.hot import backoff

        pace = charter.of(event, context).pace
        if pace["enabled"] and not event.canary:
            backoff.follow(event, context, pace)
        return
    decision = context.decision
    if decision.verdict not in _REFUSED or (decision.rule or "").startswith("pace."):
        return
    if not event.session_id or event.canary:
        return
    pace = charter.of(event, context).pace
    kinds = [kind for kind, setting in _DENIALS.items() if pace[setting]]
    if not pace["enabled"] or not kinds:
        return

    def work(state: State, project: State) -> bool:
        now = context.now_us // _SECOND
        for kind in kinds:
            window = _window(project if kind == "denials_project" else state, _denials(kind, event))
            windows.slide(window, now)
            windows.add(window, now)
        return True

    with_states(event, context, work, by_project="denials_project" in kinds)
    if context.shared is not None and "denials_project" in kinds:
        from levaithan.hot import shared_pace

        shared_pace.refused(event, context)


def _denials(kind: str, event: Event) -> str:
    """The name of the window that counts refusals of this kind."""
    of = {"denials_agent": event.agent_id, "denials_tool": event.tool_name}.get(kind)
    return f"{kind} {of}" if of else kind


def _admit(
    event: Event, context: Context, pace: dict[str, Any], state: State, project: State
) -> tuple[Opinion | None, bool]:
    """(what is said to the call, whether it counts); nothing is counted for one that is refused."""
    now = context.now_us // _SECOND
    over = _hammers(event, pace, state, project, now)
    if over:
        return over, False
    tool, agent = event.tool_name or "", event.agent_id or ""
    if tool in pace["exempt"]:
        return None, False
    counted: list[tuple[str, str]] = []
    for kind, setting in _QUOTAS.items():
        if pace[setting]:
            name = f"agent {agent}" if kind == "agent" else f"tool {tool}" if kind == "tool" else kind
            over = _over(kind, _window(project if kind == "project" else state, name), pace[setting], now)
            if over:
                return over, False
            counted.append((kind, name))
    said, run, follows = None, None, bool(pace["repeats_warn"] or pace["repeats_deny"] or pace["pingpong_deny"])
    if follows:
        runs = state.setdefault("runs", {})
        run = runs.get(agent)
        fresh, said = loops.step(run, loops.mark_of(event), event, context.now_us, pace)
        if fresh is None:
            return said, False
        _bounded(runs)
        runs[agent] = fresh
    for kind, name in counted:
        windows.add(_window(project if kind == "project" else state, name), now)
    context.memory["pace_taken"] = (event.id, counted, agent if follows else None, run)
    return said, follows or bool(counted)


def _hammers(event: Event, pace: dict[str, Any], state: State, project: State, now: int) -> Opinion | None:
    """The refusal of whoever was refused too often at the second `now`."""
    for kind, setting in _DENIALS.items():
        if pace[setting]:
            window = (project if kind == "denials_project" else state).get("windows", {}).get(_denials(kind, event))
            over = _over(kind, window, pace[setting], now) if window else None
            if over:
                return over
    return None


def _over(kind: str, window: windows.Window, limit: int, now: int) -> Opinion | None:
    """The refusal where `window` is full at the second `now`."""
    seen = windows.slide(window, now)
    if seen < limit:
        return None
    words, instead = _WORDS[kind]
    rule = "pace." + kind.partition("_")[0]
    why = (
        f"LevAIthan: {seen} {words} in the last minute, the limit is {limit} [rule {rule}]: "
        f"wait {windows.wait(window, now, limit)} s; {instead}"
    )
    return Opinion("deny", why, rule)


def _window(state: State, name: str) -> windows.Window:
    found: dict[str, windows.Window] = state.setdefault("windows", {})
    window = found.get(name)
    if window is None:
        _bounded(found)
        window = found[name] = [0, []]
    return window


def _bounded(table: dict[str, Any]) -> None:
    """Names come from outside: the oldest are forgotten where there are too many, but never the session's own."""
    if len(table) >= _NAMES:
        for name in [name for name in table if name not in (*_QUOTAS, *_DENIALS)][: _NAMES // 4]:
            del table[name]


def with_states(
    event: Event, context: Context, work: Callable[[State, State], bool], *, by_project: bool = False
) -> None:
    """Calls `work` with the states of the event's session and project, which nobody else changes meanwhile.

    Where they cannot be written (a full disk) the pace is not kept: nobody is held up for that, and it is said.
    """
    session = event.session_id or ""
    project = ""
    if by_project:
        project = "project-" + fnv1a64((event.project or event.cwd or "").encode("utf-8", "surrogatepass"))
    if event.path != "oneshot":
        memory: dict[str, State] = context.memory.setdefault("pace", {})
        work(_remembered(memory, session), _remembered(memory, project) if by_project else {})
        return
    folder = context.home.state + "/pace"
    own = StateFile(f"{folder}/{file_name(session)}")
    try:
        if by_project:
            StateFile(f"{folder}/{project}.json").change(lambda shared: own.change(lambda state: work(state, shared)))
        else:
            own.change(lambda state: work(state, {}))
    except OSError as error:
        context.complaints["pace_reserve"] = [f"calls cannot be counted, so the pace is not kept ({error})"]
        return
    if event.id[-2:] == "00":  # one call in 256 looks after the folder
        sweep(folder, time.time())


def _remembered(memory: dict[str, State], name: str) -> State:
    """The state of `name`, put last: the first ones are forgotten where there are too many."""
    state = memory.pop(name, None)
    if state is None:
        state = {}
        if len(memory) >= _SESSIONS:
            for old in list(memory)[: _SESSIONS // 4]:
                del memory[old]
    memory[name] = state
    return state
