"""Leases: a file is changed by one session at a time, and others are told by whom and until when.

A lease is taken when a tool is about to change the file, renewed while its session is heard of, given back when the
session's turn ends, and over by itself at its expiry: a session that was killed holds nothing for longer. Agents of one
session share its leases. Each new holder gets a higher fencing token (Kleppmann, "How to do distributed locking",
2016). Where `state/leases.json` cannot be written nobody can hold anything: calls pass, and it is said. Standard
library only.
"""

from __future__ import annotations

import time

from levaithan.hot import charter
from levaithan.hot.opinion import Opinion
from levaithan.hot.state_file import StateFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.paths import Home
    from levaithan.hot.workflow import Context

    Lease = dict[str, Any]

_SECOND = 1_000_000
_WAITS_US = 15 * 60 * _SECOND
"""How long a session that was refused is said to wait, when it does not ask again."""
_VERDICTS = {"deny": "deny", "ask": "ask", "warn": "allow"}
_ENDS = frozenset(("Stop", "StopFailure", "SessionEnd"))


def state_file(home: Home) -> StateFile:
    """{"fence": last token, "leases": {real path: lease}, "waiting": {path: {session: since}}}, times in us."""
    return StateFile(home.state + "/leases.json")


def reserve(event: Event, context: Context) -> Opinion | None:
    """Takes the leases that the event needs, all or none; what is said where another session holds one of them."""
    context.memory.pop("lease_taken", None)
    session, laid_down = event.session_id, charter.of(event, context).leases
    if not session or not laid_down["enabled"] or event.canary:
        return None
    from levaithan.hot.lease_targets import targets

    paths = targets(event, context, laid_down["ignore"])
    if not paths:
        return None
    expires, now = laid_down["expires"] * _SECOND, context.now_us
    file = _file(context)
    known = file.look().get("leases", {})
    if all(_fresh(known.get(path), session, now, expires) for path in paths):
        return None
    try:
        said = file.change(lambda value: _take(value, event, paths, now, expires))
    except OSError as error:
        context.complaints["lease_reserve"] = [f"leases cannot be kept, so nobody holds a file ({error})"]
        return None
    context.complaints.pop("lease_reserve", None)
    if isinstance(said, Opinion):
        said.verdict = _VERDICTS[laid_down["on_conflict"]]
        said.context = said.reason if said.verdict == "allow" else None
        return said
    context.memory["lease_taken"] = (event.id, said)
    newest = max((fence for _, fence in said), default=0)
    return Opinion("allow", f"holds {', '.join(path for path, _ in said)[:500]} (fence {newest})", "lease.taken")


def give_back(event: Event, context: Context) -> None:
    """Undo: what the event took anew is free again; what its session held before stays."""
    made, taken = context.memory.pop("lease_taken", ("", []))
    if made != event.id or not taken:
        return

    def without(value: dict[str, Any]) -> bool:
        leases = value.get("leases", {})
        for path, fence in taken:
            if leases.get(path, {}).get("fence") == fence:
                del leases[path]
        return True

    _file(context).change(without)


def keep(event: Event, context: Context) -> Opinion | None:
    """Renews what the session holds, or gives it back when its turn is over; a word to the model when it lost a lease
    that it was using. Raises OSError."""
    session = event.session_id
    file = _file(context)
    value = file.look()
    leases = value.get("leases", {})
    if not session or not leases:
        return None
    now = context.now_us
    if event.name in _ENDS:
        if not event.payload.get("background_tasks"):
            release(file, lambda _, lease: lease["session"] == session, now, waiting=session)
        return None
    expires = charter.of(event, context).leases["expires"] * _SECOND
    mine = [lease for lease in leases.values() if lease["session"] == session and lease["until_us"] > now]
    if any(lease["until_us"] - now < expires // 2 for lease in mine):
        file.change(lambda kept: _renew(kept, session, now, expires))
    return _lost(event, context, leases) if event.name == "PostToolUse" else None


def release(file: StateFile, which: Callable[[str, Lease], bool], now: int, waiting: str = "") -> list[Lease]:
    """Ends the leases for which which(path, lease) is true; gives them with their paths. `waiting`: a session that
    waits no more. Raises OSError."""
    ended: list[Lease] = []

    def work(value: dict[str, Any]) -> bool:
        leases = value.get("leases", {})
        _reap(value, now)
        for path in [path for path, lease in leases.items() if which(path, lease)]:
            ended.append({"path": path, **leases.pop(path)})
        for waits in value.get("waiting", {}).values():
            waits.pop(waiting, None)
        return True

    file.change(work)
    return ended


def every(home: Home, now_us: int | None = None) -> list[Lease]:
    """The leases in force at `now_us`: path, session, agent, project, since_us, until_us, fence, waiting {session:
    since_us}; by path."""
    now = time.time_ns() // 1000 if now_us is None else now_us
    value = state_file(home).look()
    waiting = value.get("waiting", {})
    live = {path: lease for path, lease in value.get("leases", {}).items() if lease["until_us"] > now}
    return [{"path": path, **live[path], "waiting": waiting.get(path, {})} for path in sorted(live)]


def _file(context: Context) -> StateFile:
    file: StateFile | None = context.memory.get("leases")
    if file is None:
        file = context.memory["leases"] = state_file(context.home)
    return file


def _fresh(lease: Lease | None, session: str, now: int, expires: int) -> bool:
    """Whether the lease is this session's with more than half of its time left: then nothing needs to be written."""
    return lease is not None and lease["session"] == session and expires >= lease["until_us"] - now > expires // 2


def _take(
    value: dict[str, Any], event: Event, paths: Iterable[str], now: int, expires: int
) -> Opinion | list[tuple[str, int]]:
    """The (path, fencing token) of what was free, or what stands in the way."""
    _reap(value, now)
    leases: dict[str, Lease] = value.setdefault("leases", {})
    waiting: dict[str, dict[str, int]] = value.setdefault("waiting", {})
    session = event.session_id or ""
    for path in paths:
        held = leases.get(path)
        if held is not None and held["session"] != session:
            since = waiting.setdefault(path, {}).setdefault(session, now)
            return Opinion("deny", _words(path, held, now - since), "lease.held")
    taken = []
    for path in paths:
        lease = leases.get(path)
        if lease is None:
            waiting.get(path, {}).pop(session, None)
            value["fence"] = fence = value.get("fence", 0) + 1
            leases[path] = lease = {"session": session, "since_us": now, "fence": fence}
            taken.append((path, fence))
        lease |= {"agent": event.agent_id, "project": event.project, "until_us": now + expires}
    return taken


def _renew(value: dict[str, Any], session: str, now: int, expires: int) -> bool:
    _reap(value, now)
    for lease in value.get("leases", {}).values():
        if lease["session"] == session:
            lease["until_us"] = now + expires
    return True


def _reap(value: dict[str, Any], now: int) -> None:
    """Drops what is over at `now`."""
    leases, waiting = value.get("leases", {}), value.get("waiting", {})
    for path in [path for path, lease in leases.items() if lease["until_us"] <= now]:
        del leases[path]
    for path, waits in list(waiting.items()):
        for session in [session for session, since in waits.items() if since + _WAITS_US <= now]:
            del waits[session]
        if not waits or path not in leases:
            del waiting[path]


def _lost(event: Event, context: Context, leases: dict[str, Lease]) -> Opinion | None:
    """Whether somebody else holds by now what this call has changed."""
    from levaithan.hot.lease_targets import of_tool

    for path in of_tool(event):
        held = leases.get(path)
        if held is not None and held["session"] != event.session_id and held["until_us"] > context.now_us:
            text = (
                f"The lease on {path} had ended and session {held['session'][:8]} took it (fence {held['fence']}) "
                "while you changed it [rule lease.lost]: read it again before you go on; tell the user if work is lost."
            )
            return Opinion("allow", text, "lease.lost", text)
    return None


def _words(path: str, held: Lease, waited_us: int) -> str:
    who = f"session {held['session'][:8]}" + (f" (agent {held['agent']})" if held.get("agent") else "")
    waited = f"; this session waits for it since {waited_us // _SECOND} s" if waited_us >= _SECOND else ""
    until = _time(held["until_us"])
    return (
        f"`{path}` is held by {who} since {_time(held['since_us'])} until {until}, later if that goes on{waited} "
        f"[rule lease.held]. Instead: work on something else and try again after {until}; a person can end it: "
        f"`levaithan lease release {path}`"
    )


def _time(us: int) -> str:
    return time.strftime("%H:%M:%SZ", time.gmtime(us // _SECOND))
