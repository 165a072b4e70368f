"""Leases: a file is changed by one session at a time, and others are told by whom and until when.

A lease is taken when a tool is about to change the file, renewed while its session is heard of, given back when the
session's turn ends, and over by itself at its expiry: a session that was killed holds nothing for longer. Agents of one
session share its leases. Each new holder gets a higher fencing token (Kleppmann, "How to do distributed locking",
2016). Where they cannot be kept (a full disk) nobody can hold anything: calls pass, and it is said. Standard library
only; the book (lease_book.py) is opened by the first call that changes a file.
"""

from __future__ import annotations

import os
import time

from levaithan.hot import charter
from levaithan.hot.opinion import Opinion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.lease_book import Book
    from levaithan.hot.paths import Home
    from levaithan.hot.workflow import Context

    Lease = dict[str, Any]

FILE = "/leases.sqlite"
_SECOND = 1_000_000
_VERDICTS = {"deny": "deny", "ask": "ask", "warn": "allow"}
_SESSIONS = 4096
_AGE_US = 60 * _SECOND
"""No event is older than that while it is decided."""
_TOO_LATE = (
    "The lease on `{}` was over before it was granted, so busy is this machine [rule lease.late]. Instead: try again"
)
_ENDS = frozenset(("Stop", "StopFailure", "SessionEnd"))


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
    from levaithan.hot.database import Problem

    expires = laid_down["expires"] * _SECOND
    asked = _moment(context)
    try:
        said = _taken(event, context, paths, expires)
        if said is not None and said.rule == "lease.taken" and _moment(context) - asked >= expires:
            give_back(event, context)
            said = Opinion("deny", _TOO_LATE.format(paths[0]), "lease.late")
    except (OSError, Problem) as error:
        context.complaints["lease_reserve"] = [f"leases cannot be kept, so nobody holds a file ({error})"]
        return None
    context.complaints.pop("lease_reserve", None)
    if said is not None and said.rule == "lease.held":
        said.verdict = _VERDICTS[laid_down["on_conflict"]]
        said.context = said.reason if said.verdict == "allow" else None
    return said


def give_back(event: Event, context: Context) -> None:
    """Undo: what the event took anew is free again; what its session held before stays. Raises sqlite3.Error."""
    made, taken, entry = context.memory.pop("lease_taken", ("", [], {}))
    if made == event.id and taken:
        book = _book(context)
        book.one_step(lambda: book.drop_all(taken))
        gone = [path for path, _ in taken]
        entry["leased"] = [path for path in entry.pop("leased", ()) if path not in gone]
        if context.shared is not None:
            from levaithan.hot import shared_leases

            shared_leases.free(context, taken)


def keep(event: Event, context: Context) -> Opinion | None:
    """Renews what the session holds, or gives it back when its turn is over; a word to the model when it lost a lease
    that it was using. Raises OSError and sqlite3.Error."""
    session, now = event.session_id, context.now_us
    if not session or ("leases" not in context.memory and not _worth_opening(event, context)):
        return None
    book, ends = _book(context), _ends(context)
    if book.gone:
        book.one_step(ends.clear)
    if session not in ends:
        ends[session] = book.soonest(session, now) or 0
    if event.name in _ENDS:
        if ends[session] and not event.payload.get("background_tasks"):
            book.one_step(lambda: book.leave(session))
            ends[session] = 0
        return None
    expires = charter.of(event, context).leases["expires"] * _SECOND
    if ends[session] and ends[session] - now < expires // 2:
        book.one_step(lambda: book.prolong(session, _moment(context), _moment(context) + expires))
        ends[session] = book.soonest(session, now) or 0
    return _lost(event, context, book) if event.name == "PostToolUse" else None


def _ends(context: Context) -> dict[str, int]:
    """When the first lease of each session ends (us), 0 where it holds none: what this process has done or seen."""
    ends: dict[str, int] = context.memory.setdefault("lease_ends", {})
    if len(ends) > _SESSIONS:
        ends.clear()
    return ends


def _worth_opening(event: Event, context: Context) -> bool:
    """Whether there may be something to do. Without a service each event is a process of its own, and opening the book
    costs it more than all else: it does so when nobody has for a while."""
    path = context.home.state + FILE
    try:
        touched = max(os.stat(name).st_mtime_ns for name in (path, path + "-wal") if os.path.exists(name))
    except (OSError, ValueError):
        return False
    if event.path != "oneshot" or event.name in _ENDS:
        return True
    quiet_us = charter.of(event, context).leases["expires"] * _SECOND // 4
    return bool(context.now_us - touched // 1000 > quiet_us)


def release(home: Home, paths: Sequence[str]) -> list[Lease]:
    """Ends the leases on `paths`; gives those that there were. Raises OSError and sqlite3.Error."""
    from levaithan.hot.lease_book import Book

    book = Book(home)
    try:
        return book.one_step(lambda: _ended(book, paths))
    finally:
        book.close()


def every(home: Home, now_us: int | None = None) -> list[Lease]:
    """The leases in force at `now_us`: path, session, agent, project, since_us, until_us, fence, waiting {session:
    since_us}; by path. Raises OSError and sqlite3.Error."""
    from levaithan.hot.lease_book import Book

    if not os.path.exists(home.state + FILE):
        return []
    book = Book(home)
    try:
        return book.every(time.time_ns() // 1000 if now_us is None else now_us)
    finally:
        book.close()


def _book(context: Context) -> Book:
    """The leases of the home, opened once a process."""
    book: Book | None = context.memory.get("leases")
    if book is None:
        from levaithan.hot.lease_book import Book as Opened

        book = context.memory["leases"] = Opened(context.home)
    return book


def _ended(book: Book, paths: Sequence[str]) -> list[Lease]:
    found = [lease for path in paths if (lease := book.of(path))]
    book.drop_all([(lease["path"], lease["fence"]) for lease in found])
    return found


def _moment(context: Context) -> int:
    """The time now (us), which is not the event's: between the two it may have waited for others. Where the clock was
    moved meanwhile the event's counts."""
    now, begun = time.time_ns() // 1000, context.now_us
    return now if begun < now < begun + _AGE_US else begun


def _taken(event: Event, context: Context, paths: list[str], expires: int) -> Opinion | None:
    book, now, session = _book(context), _moment(context), event.session_id or ""
    found = [] if book.gone else map(book.of, paths)
    mine = [lease for lease in found if lease and lease["session"] == session]
    if len(mine) == len(paths) and all(expires >= lease["until_us"] - now > expires // 2 for lease in mine):
        return None  # nothing needs to be written
    if context.shared is None:
        return book.one_step(lambda: _all_or_none(event, context, paths, expires, {}))
    from levaithan.hot import shared_leases

    def local(fences: Mapping[str, int]) -> Opinion | None:
        return book.one_step(lambda: _all_or_none(event, context, paths, expires, fences))

    return shared_leases.taken(event, context, paths, expires, book.last_fence() + 1, local)


def _all_or_none(
    event: Event, context: Context, paths: list[str], expires: int, fences: Mapping[str, int]
) -> Opinion | None:
    """What was free is held now; or what stands in the way. The time is taken here, where nobody else is: by an older
    one a lease would end before its time, another session's would be cut short."""
    book, now, session = _book(context), _moment(context), event.session_id or ""
    book.reap(now, expires)
    held = {path: lease for path in paths if (lease := book.of(path))}
    for path, lease in held.items():
        if lease["session"] != session:
            waited_us, run = now - book.wait(path, session, now), book.handed_by(lease, session)
            return Opinion("deny", _handed(lease, run) if run else _words(lease, waited_us), "lease.held")
    book.prolong(session, now, now + expires, list(held))
    holder = {"session": session, "agent": event.agent_id, "project": event.project, "since_us": now}
    taken = [(path, book.take(path, holder, now + expires, fences.get(path, 0))) for path in paths if path not in held]
    context.entry["leased"] = paths
    context.memory["lease_taken"] = (event.id, taken, context.entry)
    ends = _ends(context)
    if ends.pop(session, None) == 0 and not held:  # it held none: these are all
        ends[session] = now + expires
    if not taken:
        return None
    return Opinion("allow", f"holds {', '.join(path for path, _ in taken)[:500]} (fence {taken[-1][1]})", "lease.taken")


def _lost(event: Event, context: Context, book: Book) -> Opinion | None:
    """Whether somebody else holds by now what this call has changed."""
    from levaithan.hot.lease_targets import of_tool

    for path in of_tool(event):
        held, where = book.of(path), ""
        if held is None or held["until_us"] <= context.now_us:
            held = _elsewhere(event, context)
            where = f" on the machine {str(held.get('node'))[:80]}" if held else ""
        if held is not None and held["session"] != event.session_id:
            text = (
                f"The lease on {path} had ended and session {held['session'][:8]}{where} took it (fence "
                f"{held['fence']}) while you changed it [rule lease.lost]: read it again before you go on; tell the "
                "user if work is lost."
            )
            return Opinion("allow", text, "lease.lost", text)
    return None


def _elsewhere(event: Event, context: Context) -> Lease | None:
    """The lease that another machine's session has on what this call has changed; nobody is asked where this home's
    book has it."""
    laid_down = charter.of(event, context).leases
    if context.shared is None or not laid_down["enabled"]:
        return None
    from levaithan.hot import shared_leases
    from levaithan.hot.lease_targets import targets

    paths = targets(event, context, laid_down["ignore"])
    return shared_leases.other(context, event.session_id or "", paths) if paths else None


def _words(held: Lease, waited_us: int) -> str:
    who = f"session {held['session'][:8]}" + (f" (agent {held['agent']})" if held["agent"] else "")
    waited = f"; this session waits for it since {waited_us // _SECOND} s" if waited_us >= _SECOND else ""
    until = _time(held["until_us"])
    return (
        f"`{held['path']}` is held by {who} since {_time(held['since_us'])} until {until}, later if it goes on{waited} "
        f"[rule lease.held]. Instead: work on something else and try again after {until}; a person can end it: "
        f"`levaithan lease release {held['path']}`"
    )


def _handed(held: Lease, run: str) -> str:
    """What a session hears whose lease was given to another one."""
    until = _time(held["until_us"])
    return (
        f"`{held['path']}` was yours and is session {held['session'][:8]}'s now: you two waited for each other's files "
        "in a circle, and your lease was the youngest in it [rule lease.held]. Instead: work on something else, "
        f"try again after {until} or once its turn has ended, and read the file again first; a person can give "
        f"it back to you once it is free: `levaithan action undo {run}`"
    )


def _time(us: int) -> str:
    return time.strftime("%H:%M:%SZ", time.gmtime(us // _SECOND))
