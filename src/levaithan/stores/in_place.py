"""What no store on a server does, for machines share it: it is neither made beside itself nor set aside, but rewritten
in place, row by row."""

from __future__ import annotations

from typing import NoReturn, Self


class InPlace:
    """The part of roles.Projected that is refused. An adapter says why in `_never`."""

    def beside(self) -> Self:
        """Not for a store that machines share: it is rewritten in place. Raises StoreError."""
        self._never("be made again beside itself")

    def take_over(self, fresh: Self) -> None:
        """See beside."""
        self._never(f"be replaced by {fresh!r}")

    def move_aside(self, why: str) -> None:
        """A server's data cannot be moved aside from here: say what is the matter. Raises StoreError."""
        self._never(f"be set aside ({why})")

    def clear_leftovers(self) -> None:
        """See roles.Projected: there are none."""

    def _never(self, what: str) -> NoReturn:
        """Raise the StoreError that says that the store cannot `what`, and what to do instead."""
        raise NotImplementedError
