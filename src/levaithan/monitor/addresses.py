"""The addresses that the home's stores had: what is about one that is in use no longer is over.

Kept beside the figures, for only a start finds other settings. The projector is another process and starts by itself:
where it has a store is an address in use, whatever the settings of now say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.stores.address import UNUSABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 8
"""Of one store that are remembered, the latest."""


class Addresses:
    """now: store -> its address as labels have it (stores.address.marks), "" for one that is not in use; working: that
    at which the projector has it, to be set by whoever looks."""

    def __init__(self, now: Mapping[str, str]) -> None:
        self._now = dict(now)
        self._before: dict[str, list[str]] = {}
        self.working: Mapping[str, str] = {}

    @property
    def left(self) -> frozenset[tuple[str, str]]:
        """(store, address) of those that were in use and are not. A URL that cannot be read leaves nothing."""
        return frozenset(
            (store, one) for store, found in self._before.items() if self._now[store] != UNUSABLE
            for one in found if one != self.working.get(store)
        )  # fmt: skip

    def over(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are of a store at an address that it left."""
        return (labels.get("store", ""), labels.get("address", "")) in self.left

    def dump(self) -> dict[str, list[str]]:
        """Store -> its addresses, the one in use first; as JSON takes it."""
        now = {store: [one] if one else [] for store, one in self._now.items()}
        return {store: [*one, *self._before.get(store, ())][:MOST] for store, one in now.items()}

    def load(self, kept: Any) -> None:
        """Go on from a dump; what is none says nothing."""
        rows = kept.items() if isinstance(kept, dict) else ()
        self._before = {
            store: [one for one in found if isinstance(one, str) and one != self._now.get(store)][:MOST]
            for store, found in rows if store in self._now and isinstance(found, list)
        }  # fmt: skip
