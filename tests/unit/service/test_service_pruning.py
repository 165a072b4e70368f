"""What may be pruned from the journal: only what every store has, one that cannot be used included."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from levaithan.hot.paths import home_at
from levaithan.service.pruning import Pruner
from levaithan.stores.roles import ROLES


def test_a_store_that_cannot_be_used_holds_what_it_may_not_have(tmp_path: Path) -> None:
    off = {"graph": False, "memory": False}
    settings = SimpleNamespace(ledger_max_field_bytes=5, ledger_url="oracle://x", search=True, **off)
    app: Any = SimpleNamespace(home=home_at(str(tmp_path)), settings=settings)
    pruner = Pruner(app)
    assert ROLES[0] == "ledger"
    assert pruner.delivered() == {"ledger": None, "search": None}
    assert pruner._waiting("journal-1.log") == 0, "it is asked for no dead letters"
