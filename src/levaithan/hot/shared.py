"""What machines share while they decide: the service hands it in as `context.shared`, and whoever asks it has an answer
of its own for the time when nobody answers. Without a server, and in the one-shot, it is None. Standard library only.

At a partition quotas and budgets fall back to this machine's share: the limit divided by the machines last seen alive.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Protocol

    from levaithan.hot.workflow import Context

    class Shared(Protocol):
        """Every method but `machines` raises SharedError when it has no answer within its time limit, at once when it
        is known that there will be none. Amounts are nano-USD, times microseconds."""

        lease_partition: str
        """What becomes of leases without an answer: "local" (this machine's book decides) or "deny"."""

        @property
        def machines(self) -> int:
            """The services that were alive when last heard of, this one included: at least 1."""

        def admit(
            self,
            event_id: str,
            windows: Sequence[tuple[str, int]],
            width_us: int,
            looked_at: Sequence[tuple[str, int]] = (),
        ) -> tuple[str, int, int] | None:
            """Count the event in each window (name, limit), or in none: (name of the full one, how many are in it,
            seconds until there is room). Counted once, however often it is asked for. `looked_at`: windows that must
            have room too, in which it does not count; they are the first to be said."""

        def pool(self, name: str, own: Sequence[tuple[int, int]], width_us: int) -> list[tuple[int, int]]:
            """What the other machines used of `name` within the time, as (seconds ago, how much); `own` is what this
            one did, in place of what it said before."""

        def take_back(self, event_id: str, windows: Sequence[str]) -> None:
            """The event does not count after all."""

        def reserve(
            self, holder: str, buckets: Sequence[tuple[str, int]], nano: int, lasts_us: int
        ) -> dict[str, tuple[int, int]]:
            """Set `nano` aside in each bucket (name, what this machine has spent in it) in place of what `holder` had
            reserved. bucket -> (spent, reserved) by the other machines."""

        def release(self, holder: str) -> None:
            """`holder` has nothing reserved any more."""

        def settle(self, sums: Mapping[str, int]) -> None:
            """bucket -> what this machine has spent in it by now."""

        def acquire(
            self, lease: Mapping[str, str | None], paths: Sequence[str], lasts_us: int, least: int
        ) -> tuple[dict[str, Any] | None, dict[str, int]]:
            """Hold all of `paths` for `lease` (session, agent, project), or none: (the lease in the way, {}), or (None,
            path -> its fencing token, one of `least` or more where it is new)."""

        def other(self, session: str, paths: Sequence[str]) -> dict[str, Any] | None:
            """The lease in force on the first of `paths` that another session than `session` has, None for none."""

        def free(self, taken: Mapping[str, int]) -> None:
            """End the leases on these paths, where they still have these tokens."""


class SharedError(Exception):
    """What machines share is not to be had just now; the message says why."""


def share(context: Context, limit: int) -> int:
    """This machine's part of a limit that it cannot ask about: at least 1."""
    machines = context.shared.machines if context.shared is not None else 1
    return max(1, limit // max(1, machines))
