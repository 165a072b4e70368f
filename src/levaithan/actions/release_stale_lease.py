"""Release a stale lease: one whose owner has not been heard of for two of its lifetimes, so that others may go on.

The fencing token is what is released, not the path: where somebody took the lease meanwhile it has another, and stays.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from levaithan.actions.action import Action, Refused, Run, World
from levaithan.hot import charter, leases
from levaithan.hot.database import Problem
from levaithan.hot.lease_book import Book
from levaithan.hot.sessions import file_name

LIVES = 2.0
_KEPT = ("path", "session", "agent", "project", "since_us", "until_us", "fence")


def heard_s(world: World, session: str, lease: dict[str, Any]) -> float:
    """When the session was last heard of (Unix seconds): its heartbeat, else the beginning of its lease."""
    try:
        beat = Path(world.home.sessions, file_name(session)).stat().st_mtime
    except OSError:
        beat = 0.0
    return max(beat, float(lease["since_us"]) / 1e6)


def stale(world: World) -> str:
    """The file whose lease is stale for the longest, those that others wait for first; "" for none. Never raises."""
    try:
        ttl_s = float(charter.load(world.home, None).leases["expires"])
        held = [(heard_s(world, lease["session"], lease), lease) for lease in leases.every(world.home)]
    except (OSError, sqlite3.Error, Problem):
        return ""
    long_ago = time.time() - LIVES * ttl_s
    found = [(not lease["waiting"], heard, lease["path"]) for heard, lease in held if heard < long_ago]
    return min(found)[2] if found else ""


def plan(world: World, run: Run) -> dict[str, Any]:
    """The lease as it is: raises Refused where there is none, or its owner lives."""
    path = os.path.realpath(run.target["lease"])
    lease = next((one for one in leases.every(world.home) if one["path"] == path), None)
    if lease is None:
        raise Refused("there is no lease on it")
    ttl_s = float(charter.load(world.home, None).leases["expires"])
    silent_s = time.time() - heard_s(world, lease["session"], lease)
    if silent_s <= LIVES * ttl_s:
        raise Refused(
            f"its owner was heard of {silent_s:.0f} s ago; stale is one after {LIVES * ttl_s:.0f} s of silence"
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
    about="end the lease of an owner that is silent, so that others may change the file",
    bound="one lease at a time, only after two of its lifetimes of silence, only the token that was looked at",
    verifies="no lease with that token is there",
    needs=("lease",),
    deadline_s=120.0,
    plan=plan,
    do=do,
    check=check,
    undo=undo,
)
