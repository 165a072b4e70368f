"""Order waiters: of sessions that wait for each other's files in a circle the one with the youngest lease gives it up,
to the one who waits for it for the longest; so the others get on, and it waits in turn.

That the younger yields is of Rosenkrantz, Stearns and Lewis, "System level concurrency control for distributed database
systems" (ACM TODS 3(2), 1978): nobody yields for ever, for who waits grows old. The fencing token is what is handed
on, not the path. A lease that another machine holds is not seen: each looks after its own.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
import time
from typing import Any

from levaithan.actions.action import Action, Refused, Run, World
from levaithan.hot import charter, leases, sessions
from levaithan.hot.database import Problem
from levaithan.hot.lease_book import Book
from levaithan.metrics.holdings import circles

MOST = 3
"""Leases that one run hands on: more than one where circles have a session in common."""
_KEPT = ("path", "session", "agent", "project", "since_us", "until_us", "fence")


def first(world: World) -> str:
    """The file to begin with where sessions wait in a circle; "" for none. Never raises."""
    try:
        found = leases.every(world.home)
        for circle in circles(found, time.time_ns() // 1000):
            return str(_youngest(found, circle)["path"])
    except (OSError, sqlite3.Error, Problem):
        return ""
    return ""


def _youngest(found: list[dict[str, Any]], circle: set[str]) -> dict[str, Any]:
    """Of the leases that hold the circle together the one that was taken last."""
    inside = [one for one in found if one["session"] in circle and circle & (set(one["waiting"]) - {one["session"]})]
    return max(inside, key=lambda one: (one["since_us"], one["fence"]))


def plan(world: World, run: Run) -> dict[str, Any]:
    """What is handed to whom until no circle is left of it; raises Refused where the lease is in none, or it is not the
    youngest, or more than MOST would have to be."""
    path, now_us = os.path.realpath(run.target["lease"]), time.time_ns() // 1000
    found = leases.every(world.home, now_us)
    of = next((one["session"] for one in found if one["path"] == path), None)
    circle = next((one for one in circles(found, now_us) if of in one), None)
    if circle is None:
        raise Refused(
            "no sessions wait for each other in a circle over it", "`levaithan lease list` shows who waits for what"
        )
    youngest = _youngest(found, circle)
    if youngest["path"] != path:
        fix = f"levaithan action run order_waiters --lease {shlex.quote(youngest['path'])} --reason TEXT"
        raise Refused(f"the youngest lease of that circle yields: {youngest['path']}", fix)
    handed: list[dict[str, Any]] = []
    inside: set[str] | None = circle
    while inside is not None:
        if len(handed) == MOST:
            fix = "`levaithan lease list`, then `levaithan lease release` of those that should yield"
            raise Refused(f"over {MOST} leases would have to be handed on: a person decides", fix)
        lease = _youngest(found, inside)
        to = min(inside & (set(lease["waiting"]) - {lease["session"]}), key=lambda one: (lease["waiting"][one], one))
        handed.append({"lease": {name: lease[name] for name in _KEPT}, "to": to})
        lease["session"] = to
        lease["waiting"].pop(to)
        inside = next((one for one in circles(found, now_us) if one & circle), None)
    return {"handed": handed, "sessions": sorted(circle)}


def do(world: World, run: Run) -> dict[str, Any]:
    """Hands each on that still has the token that was looked at; the new tokens."""
    lasts_us = int(charter.load(world.home, None).leases["expires"]) * 1_000_000
    book = Book(world.home)

    def hand() -> list[dict[str, Any]]:
        now_us, told = time.time_ns() // 1000, []
        for one in run.undo["handed"]:
            lease = one["lease"]
            holder = {"session": one["to"], "agent": None, "project": lease["project"], "since_us": now_us}
            fence = book.hand(lease, holder, now_us + lasts_us, run.id)
            told.append({"path": lease["path"], "from": lease["session"], "to": one["to"], "fence": fence})
        return told

    try:
        return {"handed": book.one_step(hand)}
    finally:
        book.close()


def check(world: World, run: Run) -> bool | None:
    """Whether none of those sessions is in a circle any more."""
    now_us, of = time.time_ns() // 1000, set(run.undo["sessions"])
    left = [circle for circle in circles(leases.every(world.home, now_us), now_us) if circle & of]
    return None if left else True


def undo(world: World, run: Run) -> str:
    """Gives each back under a new, higher token, where nobody holds the file now and its session still works."""
    lasts_us = int(charter.load(world.home, None).leases["expires"]) * 1_000_000
    book = Book(world.home)

    def back() -> str:
        return "; ".join(_given_back(world, book, one["lease"], lasts_us) for one in run.undo["handed"])

    try:
        return book.one_step(back)
    finally:
        book.close()


def _given_back(world: World, book: Book, lease: dict[str, Any], lasts_us: int) -> str:
    now_us, session = time.time_ns() // 1000, lease["session"]
    held = book.of(lease["path"])
    if held is not None and held["fence"] == lease["fence"]:
        return f"{lease['path']}: it was never handed on"
    if held is not None and held["until_us"] > now_us:
        return f"{lease['path']}: session {held['session'][:8]} holds it (fence {held['fence']}), and it stays so"
    if not book.busy(session) or sessions.heartbeat(world.home, session)[1] is False:
        return f"{lease['path']}: it is free, and session {session[:8]} is over"
    holder = {"session": session, "agent": lease["agent"], "project": lease["project"], "since_us": now_us}
    fence = book.take(lease["path"], holder, now_us + lasts_us, lease["fence"] + 1)
    return f"{lease['path']}: given back to session {session[:8]} (fence {fence})"


ACTION = Action(
    name="order_waiters",
    about="where sessions wait for each other's files in a circle, the youngest lease goes to who waits for it",
    bound=f"one circle at a time, {MOST} leases at most, only the tokens that were looked at",
    verifies="those sessions do not wait in a circle any more",
    needs=("lease",),
    deadline_s=60.0,
    plan=plan,
    do=do,
    check=check,
    undo=undo,
    stays=True,
    lasts_s=600.0,
    stops_work=True,
)
