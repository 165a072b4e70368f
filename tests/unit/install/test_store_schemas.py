"""What setup says of the stores' servers: which are ready, which are not and why, and a next step that helps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from levaithan.hot.paths import Home, home_at
from levaithan.install import store_schemas
from levaithan.stores.roles import StoreAuthError, StoreDownError


class Store:
    """A store whose schema can be made, or not. asked: what was asked of it."""

    shared = True

    def __init__(self, name: str, *, now: Exception | None = None, making: Exception | None = None) -> None:
        self.name, self.now, self.making = name, now, making
        self.asked: list[str] = []

    def current(self) -> bool:
        self.asked.append("current")
        if self.now:
            raise self.now
        return False

    def migrate(self) -> None:
        self.asked.append("migrate")
        if self.making:
            raise self.making

    def close(self) -> None:
        self.asked.append("close")


def _down(name: str) -> StoreDownError:
    return StoreDownError(store=name, role=name.upper(), where="there", reason="refused")


def _unknown(name: str) -> StoreAuthError:
    return StoreAuthError(store=name, role=name.upper(), where="there", reason="no such user")


class _Lock:
    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def take(self, _seconds: float) -> None:
        return None


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in [one for one in os.environ if one.startswith("LEVAITHAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(store_schemas, "lock_of", lambda _home, _store: _Lock())
    (tmp_path / ".env").write_text(
        "LEVAITHAN_LEDGER_URL=postgresql://me@127.0.0.1:1/x\nLEVAITHAN_GRAPH_URL=http://graph.example:1\n"
        "LEVAITHAN_SEARCH_URL=http://me:hunter2@127.0.0.1:2\nLEVAITHAN_SEARCH_PASSWORD=another\n"
        "LEVAITHAN_COUNTERS_URL=redis://me:hunter2@127.0.0.1:3\n"
    )
    return home_at(str(tmp_path))


def _made(monkeypatch: pytest.MonkeyPatch, home: Home, *stores: Store) -> tuple[str, list[str]]:
    monkeypatch.setattr(store_schemas, "_servers", lambda _home: [(one.name, one) for one in stores])
    said = store_schemas.make(home)
    assert all(one.asked[-1] == "close" for one in stores)
    return said


def test_each_store_is_said_to_be_ready_or_not(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    down = Store("ledger", now=_down("ledger"))
    refusing = Store("search", now=_unknown("search"), making=_unknown("search"))
    said, notes = _made(monkeypatch, home, down, refusing, Store("memory"), Store("graph"))
    words = (
        "schemas ready in memory, graph; not yet in ledger, no server answers; not yet in 1 more, see the note below"
    )
    assert said == words
    assert [note.partition(". ")[0] for note in notes] == ["no schema in search yet", "no server answers for ledger"]
    assert down.asked == ["current", "close"], "what does not answer is not asked to make a schema"
    assert _made(monkeypatch, home, Store("memory")) == ("schemas ready in memory", [])


def test_a_refusal_names_what_is_asked_with_and_shows_none_of_it(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    """Setup makes a password for the servers of docker-compose.yml; one in the URL goes before it."""
    _, notes = _made(monkeypatch, home, *(Store(name, making=_unknown(name)) for name in ("search", "counters")))
    for role, note in zip(("SEARCH", "COUNTERS"), notes, strict=True):
        assert f"LEVAITHAN_{role}_URL (which goes first)" in note
        assert f"LEVAITHAN_{role}_PASSWORD" in note
        assert "hunter2" not in note and "another" not in note


@pytest.mark.parametrize(
    ("compose", "name", "start"),
    [
        (True, "ledger", "next: `docker compose up -d --wait`, then ./setup.sh again"),
        (True, "graph", "next: start it, then ./setup.sh again"),
        (False, "ledger", "next: start it, then run setup again"),
    ],
)
def test_a_server_elsewhere_is_not_started_by_docker_here(
    monkeypatch: pytest.MonkeyPatch, home: Home, compose: bool, name: str, start: str
) -> None:
    if compose:
        Path(home.root, "docker-compose.yml").touch()
    _, (note,) = _made(monkeypatch, home, Store(name, now=_down(name)))
    assert start in note
