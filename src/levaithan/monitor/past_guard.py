"""Asks the ledger for calls that ran without the guard, or against it: in a thread, for a store may hang and the watch
must not. The answer of the last look is what there is; a ledger that fails is told of by store_up.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from levaithan.detectors.bypass import asking
from levaithan.metrics.looks import Look
from levaithan.stores import registry

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

EACH_S = 30.0
BACK_S = 900.0
LIMIT_S = 15.0


class PastGuard:
    """The question, asked each EACH_S seconds once it is started."""

    def __init__(self, home: Home, settings: Any) -> None:
        self._home = home
        self._settings = settings
        self._rows: list[dict[str, Any]] = []
        self._look = Look("past-guard", self._ask, EACH_S, LIMIT_S)

    def start(self) -> None:
        """Begin to ask."""
        self._look.start()

    def stop(self) -> None:
        """End after what is under way; nobody waits for it."""
        self._look.stop()

    def rows(self, _since_s: float) -> list[dict[str, Any]]:
        """Those of the last quarter of an hour, as the last look found them. Raises what that raised."""
        for found in self._look.take():
            if found.error is not None:
                raise found.error
            self._rows = found.value
        return self._rows

    def _ask(self) -> list[dict[str, Any]]:
        with contextlib.closing(registry.open_ledger(self._settings, self._home)) as ledger:
            ledger.check_version()
            if not ledger.current():  # nothing was ever recorded, or the projector is about to make its tables
                return []
            return asking(ledger)(time.time() - BACK_S)
