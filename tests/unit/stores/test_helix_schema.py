"""How long the making of an index is waited for: an index is of all that there is, so as long as any look at all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from levaithan.stores import helix_schema
from levaithan.stores.helix_calls import Calls
from levaithan.stores.opening import Opening
from levaithan.stores.roles import StoreTimeoutError, StoreUnsupportedError

READS: Any = SimpleNamespace(operations=list)


def calls(monkeypatch: pytest.MonkeyPatch, states: list[str], patience_s: float) -> Calls:
    """Calls to a server that tells of its only operation `states`, the last one ever after."""
    made = Calls(Opening("graph", "", "", url="http://127.0.0.1:1", timeout_s=0.01), link=None)
    made.patience_s = patience_s

    def ask(_: object) -> dict[str, Any]:
        return {"i0": {"status": states.pop(0) if len(states) > 1 else states[0]}}

    monkeypatch.setattr(made, "ask", ask)
    return made


def test_it_may_take_longer_than_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    states = ["queued", *["running"] * 5, "succeeded"]
    helix_schema._wait_for(calls(monkeypatch, states, 60.0), READS, [{"operation_id": "o"}])
    assert states == ["succeeded"]


def test_it_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreTimeoutError, match=r"took longer than 0\.05 s"):
        helix_schema._wait_for(calls(monkeypatch, ["running"], 0.05), READS, [{"operation_id": "o"}])


def test_one_that_ends_badly_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreUnsupportedError, match="aborted"):
        helix_schema._wait_for(calls(monkeypatch, ["running", "aborted"], 60.0), READS, [{"operation_id": "o"}])
