"""Leases over all machines: a file is taken from all of them first, then in this machine's book. Standard library only;
loaded by the first call that changes a file where machines share.

The book stays the truth about this machine: the service says it to the others again and again (service.shared_leases).
"""

from __future__ import annotations

import contextlib
import time

from levaithan.hot.opinion import Opinion
from levaithan.hot.shared import SharedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.workflow import Context

_ALONE = (
    "The lease on `{}` cannot be asked for: the other machines are out of reach ({}), and counters_lease_partition is "
    "deny [rule lease.partition]. Instead: work that changes no file, and try again; a person may set "
    "LEVAITHAN_COUNTERS_LEASE_PARTITION=local"
)


def taken(  # noqa: PLR0917 - what the book is asked with, and how
    event: Event, context: Context, paths: list[str], expires: int, least: int,
    local: Callable[[Mapping[str, int]], Opinion | None],
) -> Opinion | None:  # fmt: skip
    """What is said to the event. `local` takes the leases in this machine's book, with at least these tokens."""
    shared = context.shared
    lease = {"session": event.session_id, "agent": event.agent_id, "project": event.project}
    if shared is None:
        return local({})
    try:
        held, fences = shared.acquire(lease, paths, expires, least)
    except SharedError as error:
        if shared.lease_partition == "deny":
            return Opinion("deny", _ALONE.format(paths[0], str(error)[:200]), "lease.partition")
        return local({})
    if held is not None:
        return Opinion("deny", _words(held), "lease.held")
    said = local(fences)
    if said is not None and said.rule == "lease.held":
        free(context, list(fences.items()))
    return said


def other(context: Context, session: str, paths: Sequence[str]) -> dict[str, Any] | None:
    """The lease on one of `paths` that a session has on another machine; None for none, and where nobody can tell."""
    with contextlib.suppress(SharedError):
        return context.shared.other(session, paths) if context.shared is not None else None
    return None


def free(context: Context, gone: Sequence[tuple[str, int]]) -> None:
    """These are free again, for the others too."""
    if context.shared is not None and gone:
        with contextlib.suppress(SharedError):  # the service tells them in a second
            context.shared.free(dict(gone))


def _words(held: dict[str, Any]) -> str:
    who = f"session {str(held.get('session'))[:8]}" + (
        f" (agent {str(held['agent'])[:64]})" if held.get("agent") else ""
    )
    until = time.strftime("%H:%M:%SZ", time.gmtime(held["until_us"] // 1_000_000))
    return (
        f"`{held['path']}` is held by {who} on the machine {str(held.get('node'))[:80]} until {until}, later if it "
        f"goes on [rule lease.held]. Instead: work on something else and try again after {until}; a person can end it "
        f"on that machine: `levaithan lease release {held['path']}`"
    )
