"""Stores that answer and that the running service cannot bring along: no command may pass them for sound."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import journals
import pytest

from levaithan.cli import reading, status_stores, store
from levaithan.config.settings import load
from levaithan.errors import StoreError, Unhealthy
from levaithan.hot.paths import Home, ensure_private, home_at
from levaithan.install import checks_stores
from levaithan.projector import loop, status

ERROR = {"code": "store_unsupported", "message": "The ledger has no schema, and may make none.", "fix": "make it"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A journal of six records and a ledger that has none of them."""
    monkeypatch.setattr(store.STATE, "home_argument", str(tmp_path))
    journals.write(tmp_path, [journals.event(number) for number in range(1, 6)])
    return home_at(str(tmp_path))


def says(home: Home, where: str | None = None, **more: Any) -> None:
    """The projector's word of now, about the ledger at `where` (default: where the settings have it)."""
    ensure_private(home.run)
    error = {**ERROR, "message": f"{ERROR['message']} {status.GOES_ON}"}
    one = {"state": "down", "where": where or f"{home.state}/ledger.sqlite3", "seq": 0, "error": error, **more}
    told = {"updated": datetime.now(UTC).isoformat(), "doing": "following", "stores": {"ledger": one}}
    status.path_of(home).write_text(json.dumps(told))


def test_its_status_is_down_with_what_the_service_says(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    says(home)
    with pytest.raises(Unhealthy) as caught:
        store.status(["ledger"], format="jsonl")
    assert (caught.value.exit_code, caught.value.fix) == (3, ERROR["fix"])
    assert str(caught.value) == f"The ledger store cannot be used: {ERROR['message']}"
    row = store._told("ledger")
    assert (row["state"], row["ok"], row["problems"], row["lag"]) == ("down", False, [ERROR["message"]], 6)
    for no_word in ({"state": "held"}, {"state": "behind", "error": None}, {"where": "postgresql://q:5432/it"}):
        says(home, **no_word)
        assert store._told("ledger")["state"] == "behind", no_word
    assert '"down"' in capsys.readouterr().out


def test_its_check_fails_with_the_remedy_of_the_service(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema that is not there and that the service has not complained of is made by it: that is a warning."""
    ledger: Any = type(store.registry.open_store("ledger", load(home.root, environ={}), home))
    monkeypatch.setattr(ledger, "remote", True, raising=False)
    monkeypatch.setattr(checks_stores, "_server", lambda *_: ())

    def found() -> list[tuple[str, str]]:
        all_found = checks_stores.of_store("ledger", load(home.root, environ={}), home)
        return [(one.status, one.message) for one in all_found if "not told" not in one.message]

    assert ("warn", "its schema is not there") in found()
    says(home)
    (one, *_) = checks_stores.of_store("ledger", load(home.root, environ={}), home)
    assert (one.status, one.remedy, one.data["lag"]) == ("fail", ERROR["fix"], 6)
    assert found() == [("fail", f"6 records behind the journal: {ERROR['message']}")]


def test_it_is_not_compared_unless_it_has_all(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    says(home)
    with monkeypatch.context() as beside_a_service:
        beside_a_service.setattr(reading, "catch_up", lambda *_: None)
        with pytest.raises(StoreError) as caught:
            store.compare(["ledger"])
    assert (str(caught.value), caught.value.fix) == (ERROR["message"], ERROR["fix"])
    store.compare(["ledger"], format="jsonl")  # caught up here: the service's word is of before


def test_a_store_that_got_a_record_meanwhile_is_not_ahead_of_the_journal(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert loop.catch_up(home, load(home.root, environ={}), stores=("ledger",)).errors == {}
    monkeypatch.setattr("levaithan.projector.feed.last_seq", lambda _journal: 2)
    (row,) = [one for one in status_stores.rows(home, None) if one["item"] == "ledger"]
    assert (row["status"], row["value"], row["data"]["lag"]) == ("ok", "up to date", 0)


def test_a_store_that_the_service_has_elsewhere_is_said_to_need_a_restart(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reading, "ask_service", lambda *_args, **_more: {"ok": False})
    for where, words in ((None, "the service is still at it"), ("postgresql://q:5432/it", "`levaithan restart`")):
        says(home, where)
        with reading.opened("ledger"):
            pass
        assert words in capsys.readouterr().err
