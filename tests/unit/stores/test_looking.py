"""Stores looked at side by side: the answers in the order asked, each store's failure at its turn, no server twice."""

from __future__ import annotations

import os
import threading
import types
from pathlib import Path

import pytest

from levaithan.errors import LevaithanError, NotConfigured
from levaithan.hot.paths import Home, home_at
from levaithan.stores import edge, looking, registry
from levaithan.stores.edge import Edge
from levaithan.stores.roles import ROLES, StoreDownError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in [one for one in os.environ if one.startswith("LEVAITHAN_")]:
        monkeypatch.delenv(name)
    return home_at(str(tmp_path))


def test_all_are_asked_at_the_same_time_and_answer_in_their_order(home: Home) -> None:
    together = threading.Barrier(len(ROLES), timeout=20)

    def look(name: str) -> str:
        together.wait()
        return name.upper()

    assert list(looking.each(look, ROLES, home)) == [name.upper() for name in ROLES]
    assert list(looking.each(look, [], home)) == []


def test_what_one_look_raises_comes_at_its_turn(home: Home) -> None:
    def look(name: str) -> str:
        if name == "graph":
            raise NotConfigured("no such graph")
        return name

    seen = []
    with pytest.raises(LevaithanError, match="no such graph"):
        for one in looking.each(look, ("ledger", "graph", "memory"), home):
            seen.append(one)
    assert seen == ["ledger"]


def test_a_server_that_does_not_answer_is_tried_once(home: Home) -> None:
    tries: list[str] = []

    def look(name: str) -> str:
        def refuse() -> str:
            tries.append(name)
            raise ConnectionError("refused")

        def translate(error: BaseException) -> StoreDownError:
            return StoreDownError(store=name, role=name.upper(), where="here", reason=str(error))

        try:
            return Edge(name, "here", translate).call(refuse)
        except StoreDownError as down:
            return str(down.values["reason"])

    assert list(looking.each(look, ROLES, home)) == ["refused"] * len(ROLES)
    assert sorted(tries) == sorted(ROLES)
    with edge.once():
        assert look("ledger") == "refused"
        assert list(looking.each(look, ROLES, home)) == ["refused"] * len(ROLES)
    assert len(tries) == 2 * len(ROLES), "what is known already is not asked again"


def test_what_stores_need_is_loaded_before_any_is_asked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading holds the interpreter: what a server takes would be told as ten times that."""
    Path(home.root, ".env").write_text(
        "LEVAITHAN_MEMORY_URL=http://127.0.0.1:1\nLEVAITHAN_COUNTERS_URL=redis://127.0.0.1:1\n"
    )
    loaded: list[str] = []

    def load(name: str) -> object:
        loaded.append(name)
        if name == "weaviate":
            raise ModuleNotFoundError(name)
        return types.SimpleNamespace(opened=None)

    monkeypatch.setattr(registry, "import_module", load)
    late = ["stamina", "pybreaker"]
    wanted = ["levaithan.stores.weaviate_memory", *late, "weaviate", "levaithan.stores.redis_counters", *late]
    names = ("ledger", "memory", "counters")
    assert list(looking.each(lambda _name: list(loaded), names, home)) == [wanted] * 3


def test_a_memory_with_an_authority_of_its_own_is_asked_when_the_others_are_done(home: Home) -> None:
    Path(home.root, ".env").write_text("LEVAITHAN_MEMORY_CA_FILE=/somewhere/ca.pem\n")
    done: list[str] = []

    def look(name: str) -> list[str]:
        before = sorted(done)
        done.append(name)
        return before

    names = ("memory", "ledger", "graph")
    assert next(looking.each(look, names, home)) == ["graph", "ledger"]
    assert done[-1] == "memory"
