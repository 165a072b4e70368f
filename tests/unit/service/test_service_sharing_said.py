"""What machines share is asked once a second: a server that is away must not fill the log with it."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import homes

from levaithan.hot.paths import home_at
from levaithan.service import sharing, trouble
from levaithan.stores.opening import Opening
from levaithan.stores.roles import StoreBusyError, StoreDownError, StoreTimeoutError


def test_it_is_said_when_it_begins_when_it_lasts_and_when_it_is_over() -> None:
    now = [0.0]
    one = trouble.Trouble(lambda: now[0])
    said = []
    for second in range(700):
        now[0] = float(second)
        if one.is_news("store_down", f"it did not answer, try {second}"):
            said.append(second)
    assert said == [0, 300, 600]
    assert one.words == "it did not answer, try 699"
    assert one.is_over() and not one.is_over() and one.words == ""
    assert one.is_news("store_down", "again")


def test_another_kind_of_trouble_is_said_once_however_they_take_turns() -> None:
    one = trouble.Trouble(lambda: 0.0)
    told = [kind for kind in ["down", "late", "down", "auth", "late", "down"] if one.is_news(kind, kind)]
    assert told == ["down", "late", "auth"]


class _Settings:
    counters_timeout_ms = 50
    counters_lease_partition = "deny"


class _Gone:
    """A server that fails in other words each time, and then comes back."""

    def __init__(self, failures: list[Exception], over: threading.Event) -> None:
        self.failures, self.over, self.node = failures, over, "n"
        self.beats = 0

    def listen(self, _wait_s: float) -> bool:
        return False

    def beat(self) -> tuple[bool, dict[str, float]]:
        self.beats += 1
        if self.failures:
            raise self.failures.pop(0)
        self.over.set()
        return False, {"n": 1.0}

    def halts(self) -> tuple[int, dict[str, str], set[str]]:
        return 1, {}, set()

    def leases(self) -> tuple[list[Any], int]:
        return [], 0

    def close(self) -> None:
        pass


def test_a_server_that_is_away_is_a_line_a_kind_of_failure_and_one_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by a new user: a line a second, for the words of a refused connection and of a circuit that is open take
    turns; and a channel that is heard is no proof that the rest is answered."""
    monkeypatch.setattr(sharing, "AGAIN_S", 0.001)
    monkeypatch.setattr(sharing, "TURN_S", 0.002)
    home, said = home_at(str(tmp_path)), Counter[str]()
    Path(home.state).mkdir(parents=True)

    told: dict[str, Any] = {"store": "counters", "role": "COUNTERS", "where": "redis://h"}
    failures: list[Exception] = []
    for number in range(10):
        failures += [
            StoreDownError(**told, reason="Connection refused."), StoreDownError(**told, reason=f"try {number}"),
            StoreTimeoutError(**told, seconds=number), StoreBusyError(**told, reason="loading"),
        ]  # fmt: skip
    over = threading.Event()
    sharer = sharing._Sharer(
        home,
        _Settings(),
        Opening("counters", "", home.state, "redis://127.0.0.1:1"),
        "m",
        lambda words, **_: said.update([words]),
    )  # type: ignore[arg-type]
    monkeypatch.setattr(sharer, "_others", _Gone(failures, over))
    monkeypatch.setattr(sharer._halts, "_others", sharer._others)
    monkeypatch.setattr(sharer._leases, "_others", sharer._others)
    monkeypatch.setattr(sharer.decisions, "start", lambda: None)
    sharer.start()
    assert over.wait(10)
    homes.until(lambda: not sharer._trouble.words)
    sharer.stop()
    assert said == {"machines do not share": 3, "machines share again": 1}
    assert sharer.status()["error"] == ""


def test_a_misspelt_prefix_shares_with_nobody_and_is_said(tmp_path: Path) -> None:
    """Found by a new user: all keys stood under the default one, so who meant to be apart shared halts and budgets."""
    home, said, shared = home_at(str(tmp_path)), list[Any](), list[Any]()
    Path(home.state).mkdir(parents=True)
    settings: Any = SimpleNamespace(
        counters_url="redis://127.0.0.1:1/0?prefx=teamb", ledger_max_field_bytes=1 << 20,
        counters_timeout_ms=50, counters_lease_partition="deny",
    )  # fmt: skip
    gate: Any = SimpleNamespace(machine="m", share=shared.append)
    one = sharing.Sharing(home, settings, gate, lambda words, **more: said.append((words, more["error"])))
    one.start()
    told = one.status()
    one.stop()
    why = "LEVAITHAN_COUNTERS_URL cannot be used: it may not say prefx."
    assert said == [("machines do not share", why)]
    assert told == {"answering": False, "why": "", "error": why}
    assert shared == [None], "each hook is decided by this machine alone"
