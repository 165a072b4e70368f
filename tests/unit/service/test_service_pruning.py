"""What may be pruned from the journal: only what every store has, one that cannot be used included."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from levaithan.hot.journal import Journal
from levaithan.hot.paths import home_at
from levaithan.projector import status
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


def projector_says(app: Any, updated_s: float, **stores: str) -> None:
    path = status.path_of(app.home)
    path.parent.mkdir(exist_ok=True)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(updated_s))
    told = {"updated": stamp, "doing": "following", "stores": {name: {"where": at} for name, at in stores.items()}}
    path.write_bytes(orjson.dumps(told))


def test_a_store_that_the_projector_has_elsewhere_holds_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the two began after the settings were changed: what is read at the one may be lacking at the other."""
    off = {"search": False, "graph": False, "memory": False}
    settings = SimpleNamespace(ledger_max_field_bytes=5, ledger_url="sqlite:///p/ledger", **off)
    said: list[dict[str, Any]] = []
    app: Any = SimpleNamespace(
        home=home_at(str(tmp_path)), settings=settings, conf=SimpleNamespace(journal_max_bytes=1),
        say=lambda *_, **more: said.append(more),
    )  # fmt: skip
    journal = Journal(app.home.journal, segment_bytes=1)
    for _ in range(3):
        journal.append([("", b'{"v":1,"kind":"note"}')])
    journal.close()
    Path(app.home.state).mkdir()
    pruner = Pruner(app)
    went: list[str] = []

    async def prune(_: int, last: str) -> None:
        went.append(last)

    monkeypatch.setattr(pruner, "_prune", prune)  # what goes then is tried in test_service_trouble.py
    monkeypatch.setattr(pruner, "_waiting", lambda _: 0)
    now = time.time()
    for told in ({"ledger": "postgresql://q:5432/it"}, {"ledger": ""}, {"ledger": "/p/ledger", "search": "/p/search"}):
        projector_says(app, now, **told)
        asyncio.run(pruner.prune())
        assert went == []
    assert ["postgresql://q:5432/it" in said[0]["held_by"][0], "/p/ledger" in said[0]["held_by"][0]] == [True, True]
    assert len(pruner.state["held_by"]) == 1, "a store that this service does not ask at all"
    projector_says(app, now - 3600, ledger="postgresql://q:5432/it")
    asyncio.run(pruner.prune())
    assert went == [], "one that hangs has it there when it goes on"
    projector_says(app, now, ledger="/p/ledger")
    asyncio.run(pruner.prune())
    assert len(went) == 1
