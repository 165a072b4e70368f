"""The projector as the service's child, and what it says of the stores. Imports nothing of the projector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.service import turns
from levaithan.service.child import Child

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home


class Projection(Child):
    """The projector child."""

    def __init__(self, home: Home, say: Callable[..., None]) -> None:
        super().__init__("projector", home, say)

    def _settle(self, pid: int) -> None:
        turns.background(pid)

    def stores(self) -> dict[str, dict[str, Any]]:
        """A row a store: seq, segment, offset, state, lag_events, dead_letters, error."""
        stores = self.status().get("stores")
        return {name: one for name, one in stores.items() if isinstance(one, dict)} if isinstance(stores, dict) else {}
