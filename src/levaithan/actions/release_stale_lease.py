"""Release a stale lease: one of a session that is not there any more, so that others may go on before its time is over.

Its owner is silent for two lives of its heartbeat (sessions.BEAT_LIVES_S), and its process of Claude Code has ended. A
session that thinks, or runs a command of an hour, is silent as well and its process is there: it keeps what it holds.
Where nothing is known of the process, two lifetimes of the lease have to be over.
The fencing token is what is released, not the path: where somebody took the lease meanwhile it has another, and stays.
"""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any

from levaithan.actions.action import Action, Refused, Run, World
from levaithan.hot import charter, leases, sessions
from levaithan.hot.database import Problem
from levaithan.hot.lease_book import Book

LIVES = 2.0
_KEPT = ("path", "session", "agent", "project", "since_us", "until_us", "fence")


def silent(world: World, lease: dict[str, Any], ttl_s: float) -> tuple[float, float, str]:
    """For how long the owner of a lease is silent (s, since its heartbeat, else since it took the lease), after how
    much of that it is stale (infinity for never), and why so, in words. ttl_s: the lifetime of leases."""
    beat_s, alive = sessions.heartbeat(world.home, lease["session"])
    silent_s = time.time() - max(beat_s, float(lease["since_us"]) / 1e6)
    if alive:
        return silent_s, float("inf"), "its process is there, so it keeps what it holds"
    after_s = LIVES * (ttl_s if alive is None else sessions.BEAT_LIVES_S)
    whose = "nothing is known of its process" if alive is None else "its process has ended"
    return silent_s, after_s, f"{whose}, and stale is one then after {after_s:.0f} s of silence"


def stale(world: World) -> str:
    """The file whose lease is stale, one that others wait for first, then the one silent for the longest; "" for none.
    Never raises."""
    try:
        ttl_s = float(charter.load(world.home, None).leases["expires"])
        held = [(lease, *silent(world, lease, ttl_s)) for lease in leases.every(world.home)]
    except (OSError, sqlite3.Error, Problem):
        return ""
    found = [
        (not lease["waiting"], -since_s, lease["path"]) for lease, since_s, after_s, _ in held if since_s > after_s
    ]
    return min(found)[2] if found else ""


def plan(world: World, run: Run) -> dict[str, Any]:
    """The lease as it is: raises Refused where there is none, or its owner lives."""
    path = os.path.realpath(run.target["lease"])
    lease = next((one for one in leases.every(world.home) if one["path"] == path), None)
    if lease is None:
        raise Refused("there is no lease on it", "`levaithan lease list` shows the leases")
    silent_s, after_s, why = silent(world, lease, float(charter.load(world.home, None).leases["expires"]))
    if silent_s <= after_s:
        raise Refused(
            f"its owner was heard of {silent_s:.0f} s ago; {why}",
            "`levaithan lease list` shows whose it is; a person may end it all the same: `levaithan lease release`",
        )
    return {"lease": {name: lease[name] for name in _KEPT}}


def do(world: World, run: Run) -> dict[str, Any]:
    """Ends the lease with that very fencing token."""
    lease = run.undo["lease"]
    book = Book(world.home)
    try:
        book.one_step(lambda: book.drop_all([(lease["path"], lease["fence"])]))
    finally:
        book.close()
    return {"path": lease["path"], "fence": lease["fence"]}


def check(world: World, run: Run) -> bool | None:
    """Whether no lease with that token is there."""
    lease = run.undo["lease"]
    book = Book(world.home)
    try:
        now = book.of(lease["path"])
    finally:
        book.close()
    return True if now is None or now["fence"] != lease["fence"] else None


def undo(world: World, run: Run) -> str:
    """Gives it back under a new, higher token, where nobody holds the file now."""
    lease = run.undo["lease"]
    book = Book(world.home)
    now_us = time.time_ns() // 1000

    def back() -> str:
        held = book.of(lease["path"])
        if held is not None and held["fence"] == lease["fence"]:
            return "it was never ended"
        if held is not None and held["until_us"] > now_us:
            return f"session {held['session'][:8]} holds the file by now (fence {held['fence']}): it stays so"
        holder = {"session": lease["session"], "agent": lease["agent"], "project": lease["project"], "since_us": now_us}
        fence = book.take(
            lease["path"], holder, now_us + max(1, lease["until_us"] - lease["since_us"]), lease["fence"] + 1
        )
        return f"given back to session {lease['session'][:8]} (fence {fence})"

    try:
        return book.one_step(back)
    finally:
        book.close()


ACTION = Action(
    name="release_stale_lease",
    about="end the lease of a session that is not there any more, so that others may change the file",
    bound="one lease at a time, only the token that was looked at; never of a session whose process is there",
    verifies="no lease with that token is there",
    needs=("lease",),
    deadline_s=120.0,
    plan=plan,
    do=do,
    check=check,
    undo=undo,
)
