"""The counters: the live stream of all machines' events, counts of them by the minute, and readers that share the work.

What machines ask each other while they decide (windows, budgets, leases, halts) is hot.shared's Protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from levaithan.stores.roles.projected import Shared

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True, frozen=True)
class StreamEvent:
    """An event as the live stream has it; texts, "" for what the event has not, long ones cut.

    position: its place, for `ack` and for reading on ("journal/number"); at: ISO 8601, UTC; duration: milliseconds.
    """

    position: str
    id: str
    at: str
    machine: str
    journal: str
    seq: int
    event: str
    session: str
    agent: str
    tool: str
    decision: str
    rule: str
    reason: str
    duration: str


class Counters(Shared, Protocol):
    """The live stream. An event is in it once, however often it is delivered; the oldest leave it (see `kept`)."""

    kept: int
    """About how many events of each journal stay in the stream."""

    def begin(self, group: str, *, oldest: bool = True) -> None:
        """Make the group of readers `group`, which reads all journals, from the oldest event that is kept or from now
        on. One that is there goes on where it was."""

    def read(self, group: str, consumer: str, *, count: int = 100, block_ms: int = 0) -> list[StreamEvent]:
        """Up to `count` events of each journal that no consumer of `group` was given yet, waiting up to `block_ms` for
        the first (0: not at all). Each journal's are in its order. They are `consumer`'s until `ack`."""

    def ack(self, group: str, positions: Sequence[str]) -> int:
        """`group` is done with these; how many of them it was not done with yet."""

    def claim(self, group: str, consumer: str, *, idle_ms: int, count: int = 100) -> list[StreamEvent]:
        """Up to `count` events of each journal that another consumer was given `idle_ms` ago or earlier and has not
        acknowledged: it may be dead, they are `consumer`'s now."""

    def latest(self, count: int = 100) -> list[StreamEvent]:
        """The last events of all journals, the newest first; no group is concerned."""

    def minutes(self, since_us: int, until_us: int) -> dict[int, dict[str, int]]:
        """Minute (its beginning, microseconds since 1970) -> {"event:PreToolUse": 3, "decision:deny": 1, "tool:Bash":
        3, ...}, of all journals, for minutes that begin in since <= m < until. The last day's are kept."""
