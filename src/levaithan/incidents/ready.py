"""Has a postmortem's beginning lie ready as soon as an incident opens.

For the monitor: it opens the stores by itself, so that it can run in a thread beside what watches, and asks nobody
outside this machine.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.errors import LevaithanError
from levaithan.incidents import evidence, notes, offline
from levaithan.incidents.incident import Incident
from levaithan.stores import registry

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

DEADLINE_S = 20.0
"""Nobody waits for it."""


def there(home: Home, incident_id: str) -> bool:
    """Whether it lies there already."""
    return Path(home.logs, "incidents", f"{incident_id}.md").is_file()


def prepare(home: Home, settings: Any, incident: dict[str, Any]) -> str:
    """Gather evidence on `incident` (its `as_dict`: the engine's own goes on changing) and write logs/incidents/ID.md;
    the file's path. Raises StoreError where there is no ledger to ask, OSError where it cannot be written."""
    one = Incident.of(incident)
    with contextlib.ExitStack() as opened:
        ledger = registry.open_ledger(settings, home)
        opened.callback(ledger.close)
        book = notes.book(ledger)
        book.incidents[one.id] = one
        beside: dict[str, Any] = {}
        for role in ("graph", "memory"):
            with contextlib.suppress(LevaithanError):  # not installed here: the evidence is without it, and says less
                store = registry.open_store(role, settings, home)
                if store is not None:
                    opened.callback(store.close)
                    beside[role] = store
        found = evidence.gather(one, book, ledger, home=home, deadline_s=DEADLINE_S, **beside)
    return offline.prepare(home, one, found)
