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
LEFT_S = 86_400.0
"""For so long after an address was left what is about it is over: longer than any rule about a store looks back at
figures that come no more, and goes on. Who tells of it later tells of another home, which has a store there."""


class Addresses:
    """now: store -> its address as labels have it (stores.address.marks), "" for one that is not in use."""

    def __init__(self, now: Mapping[str, str]) -> None:
        self._now = dict(now)
        self._before: dict[str, dict[str, float | None]] = {}

    @property
    def left(self) -> dict[tuple[str, str], float]:
        """(store, address) of those that were in use and are not -> since when (Unix seconds)."""
        return {
            (store, one): since_s for store, found in self._before.items() for one, since_s in found.items()
            if since_s is not None
        }  # fmt: skip

    def see(self, working: Mapping[str, str], now_s: float) -> None:
        """Take that it is now_s and that the projector has the stores of `working` at these addresses. A URL that
        cannot be read leaves nothing."""
        for store, found in self._before.items():
            for one, since_s in list(found.items()):
                if working.get(store) == one or (self._now[store] == UNUSABLE and since_s is None):
                    found[one] = None
                elif since_s is None:
                    found[one] = now_s
                elif now_s - since_s > LEFT_S:
                    del found[one]

    def over(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are of a store at an address that it left."""
        return (labels.get("store", ""), labels.get("address", "")) in self.left

    def dump(self) -> dict[str, list[Any]]:
        """Store -> its addresses, the one in use first, one that was left with the time; as JSON takes it."""
        now = {store: [one] if one else [] for store, one in self._now.items()}
        before = {
            store: [one if since_s is None else [one, since_s] for one, since_s in found.items()]
            for store, found in self._before.items()
        }  # fmt: skip
        return {store: [*one, *before.get(store, ())][:MOST] for store, one in now.items()}

    def load(self, kept: Any) -> None:
        """Go on from a dump; what is none says nothing."""
        rows = kept.items() if isinstance(kept, dict) else ()
        self._before = {
            store: {
                one: since_s for one, since_s in map(_read, found[:MOST]) if one and one != self._now[store]
            } for store, found in rows if store in self._now and isinstance(found, list)
        }  # fmt: skip


def _read(one: Any) -> tuple[str, float | None]:
    match one:
        case str():
            return one, None
        case [str() as name, int() | float() as since_s]:
            return name, float(since_s)
    return "", None
