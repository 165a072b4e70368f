"""Runs an event through its atomic hooks and combines what they say: `halt > deny > ask > allow`.

Pure checks first, in their order, up to the first halt or deny: what is refused needs no further opinion. Then the
reservations, undone in reverse when the event is refused after all; then the observers, which cannot decide anything. A
check or reservation that crashes or overruns denies where the event is a guard; an observer's failure is only recorded.
Standard library only.
"""

from __future__ import annotations

import os
import sys
from time import perf_counter

from levaithan.hot.bounded import short
from levaithan.hot.contract import NEXT_STEP
from levaithan.hot.event import VERDICTS, Decision, Opinion
from levaithan.hot.timelimit import Overrun, TimeLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.hotconf import HotConf
    from levaithan.hot.paths import Home

_STRENGTH = {verdict: strength for strength, verdict in enumerate(VERDICTS)}
_REFUSED = ("deny", "halt")
_UNDO_LIMIT_S = 0.3
_MAX_SAID = 400
_now = perf_counter


class Context:
    """What a hook may use: home, conf, now_us (wall clock, microseconds), machine, memory (lives as long as the
    process; a hook keeps its things under its own name), complaints (what a hook found wrong with the installation,
    under its name; shown to the user), loads and dumps (the fastest JSON there is)."""

    __slots__ = ("complaints", "conf", "dumps", "home", "loads", "machine", "memory", "now_us")

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
        self.now_us = 0


class Outcome:
    """What came of an event: the decision, one entry a hook ({hook, ms, decision?, rule?, reason?, context?, error?}),
    and notices for the user."""

    __slots__ = ("decision", "hooks", "notices")

    def __init__(self, decision: Decision | None = None) -> None:
        self.decision = decision or Decision()
        self.hooks: list[dict[str, Any]] = []
        self.notices: list[str] = []


class HookError(Exception):
    """A hook that could not be loaded, or gave what is no opinion."""


class Hook:
    """One atomic hook, loaded: its function, its undo, or why it cannot be used (`error`)."""

    __slots__ = ("error", "function", "name", "path", "seen", "undo")

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path
        self.error: str | None = None
        self.function: Callable[..., Any] = _missing
        self.undo: Callable[..., Any] | None = None
        self.seen = stamp(path)


class Flow:
    """The loaded hooks of one event, by part."""

    __slots__ = ("checks", "observers", "record", "reserves")

    def __init__(self, parts: dict[str, list[Hook]]) -> None:
        self.checks = parts["checks"]
        self.reserves = parts["reserves"]
        self.observers = parts["observers"]
        self.record = parts["record"]


def _missing(*_: Any) -> None:
    raise HookError("it was never loaded")


def stamp(path: str) -> tuple[int, int, int] | None:
    """What tells two versions of a file apart, or None when there is none (but a folder, a pipe, a device, say)."""
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return (seen.st_mtime_ns, seen.st_size, seen.st_ino) if (seen.st_mode & 0o170000) == 0o100000 else None


def load_hook(name: str, path: str, entry: str, *, fresh: bool = False) -> Hook:
    """The hook in the file `path`, whose function is `entry` ("hook" or "record"). Never raises, see Hook.error.

    `fresh` compiles the source even where a compiled form is kept: for a file that has just been changed.
    """
    hook = Hook(name, path)
    if hook.seen is None:
        hook.error = f"{path} is missing, or no file"
        return hook
    module = type(sys)("levaithan_hook_" + name)
    module.__file__ = path
    try:
        code = _code(module.__name__, path, fresh=fresh)
        sys.modules[module.__name__] = module
        exec(code, module.__dict__)  # noqa: S102 - the installation's own hooks are code
        function = module.__dict__.get(entry)
        if not callable(function):
            raise HookError(f"{path} defines no function {entry}()")
        hook.function = function
        undo = module.__dict__.get("undo")
        hook.undo = undo if callable(undo) else None
    except Overrun:
        raise
    except BaseException as error:  # whatever a hook file does while it is loaded, it must not end the gate
        hook.error = say(error, path)
    return hook


def _code(name: str, path: str, *, fresh: bool) -> CodeType:
    if fresh:
        with open(path, "rb") as file:
            return compile(file.read(), path, "exec", dont_inherit=True)
    try:
        from _frozen_importlib_external import SourceFileLoader
    except ImportError:
        from importlib.machinery import SourceFileLoader
    code = SourceFileLoader(name, path).get_code(name)
    if code is None:
        raise HookError(f"{path} holds no code")
    return code


def say(error: BaseException, path: str) -> str:
    """An exception in one bounded line, with the line of the hook file it came from."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace: TracebackType | None = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == path and not isinstance(error, SyntaxError):
            line = trace.tb_lineno
        trace = trace.tb_next
    try:
        text = str(error)
    except Exception:
        text = "an error without words"
    text = short(text if isinstance(error, HookError) else f"{type(error).__name__}: {text}", _MAX_SAID)
    text = text.replace("\n", " ")
    return f"{text} ({path}, line {line})" if line else text


class Runner:
    """Runs one event; made anew for each."""

    __slots__ = ("context", "event", "limit", "outcome", "taken")

    def __init__(self, event: Event, context: Context, limit: TimeLimit) -> None:
        self.event = event
        self.context = context
        self.limit = limit
        self.outcome = Outcome()
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
        if _STRENGTH[opinion.verdict] > _STRENGTH[decision.verdict] or decision.hook is None:
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
            self._add_context(opinion, entry)

    def _call(self, hook: Hook, entry: dict[str, Any]) -> Opinion | None:
        limit = self.limit
        began = _now()
        try:
            if hook.error:
                raise HookError(hook.error)
            if began >= limit.until:
                raise Overrun("no time was left for it")
            limit.inside = True
            opinion: Opinion | None = hook.function(self.event, self.context)
            limit.inside = False
            if _now() > limit.until:
                raise Overrun("it took too long")
            if opinion is not None and (type(opinion) is not Opinion or opinion.verdict not in _STRENGTH):
                raise HookError(f"it returned {_said(opinion)} where an Opinion or None is expected")
        except BaseException as error:  # SystemExit too: a hook must not end the gate
            limit.inside = False
            entry["error"] = say(error, hook.path)
            opinion = None
        entry["ms"] = round((_now() - began) * 1000, 3)
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
