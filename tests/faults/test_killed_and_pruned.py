"""The stores while their projector is killed, and the journal is pruned and rebuilt from: each event is there once."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.faults.test_reopen import BODY, serving, settings_of
from tests.support import homes
from tests.unit.service.conftest import Client, event

from levaithan.hot import paths
from levaithan.hot.journal import Journal
from levaithan.projector.process import Projector
from levaithan.stores.registry import open_ledger

pytestmark = pytest.mark.faults
KILLS = 20


def test_a_projector_killed_twenty_times_delivers_each_row_once(tmp_path: Path) -> None:
    """Between two batches, and within one: before its commit."""
    root = homes.make_home(tmp_path / "h", native=False)
    home = paths.home_at(root)
    journal = Journal(home.journal, fsync="never", segment_bytes=200_000)
    for start in range(0, 6000, 500):
        journal.append([(f"{n:032x}", BODY % (n, n)) for n in range(start, start + 500)])
    journal.close()
    reached = []
    for number in range(KILLS):
        child = os.fork()
        if child == 0:
            _project_and_die(home, within=number % 2 == 1)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        ledger = open_ledger(settings_of(root), home)
        cursor = ledger.cursor()
        reached.append(cursor.seq if cursor else 0)
        ledger.close()
    assert reached == sorted(reached)
    assert len(set(reached)) > KILLS // 2, "most of the time it got on"
    assert reached[-1] < 6000, "it must not be through before the last kill"
    one = Projector(home, settings_of(root), None)
    while not all(follower.idle for follower in one.followers):
        one.turn()
    rows = collections.Counter(homes.ledger_column(root, "SELECT id FROM events"))
    assert rows == dict.fromkeys([f"{n:032x}" for n in range(6000)], 1)
    with contextlib.closing(sqlite3.connect(home.state + "/search.sqlite3")) as link:
        assert link.execute("SELECT count(*), count(DISTINCT id) FROM docs").fetchone() == (6000, 6000)
    assert one.followers[0].dead == 0


def _project_and_die(home: paths.Home, *, within: bool) -> None:
    """In a fork: deliver a few small batches, then SIGKILL."""
    from levaithan.stores import ledger_writer

    one = Projector(home, settings_of(home.root), None)
    for follower in one.followers:
        follower.batch_bytes = 30_000
    steps = [0]
    ledger = one.followers[0]
    step, move = ledger.step, ledger_writer._move

    def counted() -> bool:
        moved = step()
        steps[0] += 1
        if steps[0] == 3 and not within:
            os.kill(os.getpid(), signal.SIGKILL)
        return moved

    def killed(*arguments: Any) -> None:
        if steps[0] == 2 and within:
            os.kill(os.getpid(), signal.SIGKILL)
        move(*arguments)

    ledger.step = counted  # type: ignore[method-assign]
    ledger_writer._move = killed  # type: ignore[assignment]
    try:
        while True:
            one.turn()
    finally:
        os._exit(1)


PRUNER = "from levaithan.service import chores; chores.PRUNE_S = 0.3"


def test_a_bounded_journal_loses_nothing_beside_rebuilds(tmp_path: Path) -> None:
    """Under load, with poison in it, pruned and rebuilt at the same time: each event is in both stores once."""
    bound = 400_000
    root = homes.make_home(
        tmp_path / "h", native=False, segment_bytes=40_000, journal_max_bytes=bound, checkpoint_interval_s=5
    )
    home = paths.home_at(root)
    sent: list[int] = []
    over = threading.Event()
    sender = threading.Thread(target=_send, args=(home, sent, over))
    with serving(root, PRUNER):
        sender.start()
        try:
            homes.until(lambda: _pruned(root) > 3, 30)
            for _ in range(2):
                homes.cli(root, "journal", "rebuild")
        finally:
            over.set()
            sender.join()
        homes.sync(root)
        homes.until(lambda: _within(root, bound), 30)
        status = homes.control(root, "status")
        assert status is not None
        assert status["pruned"]["removed"] > 10
        assert {name: one["last_error"] for name, one in status["loops"].items() if one["restarts"]} == {}
        homes.sync(root)
        homes.cli(root, "journal", "rebuild")
        letters = homes.rows(root, "journal", "dead-letters", "--limit", "1000")
    assert len(sent) > 1000
    rows = collections.Counter(homes.ledger_column(root, "SELECT tool_use_id FROM events"))
    waiting = {one["tool_use_id"] for one in letters}
    assert rows == dict.fromkeys({f"c-{number}" for number in sent} - waiting, 1)
    poison = {f"c-{number}" for number in sent if number % 50 == 0}
    assert waiting < poison
    marked = homes.ledger_column(root, "SELECT tool_use_id FROM events WHERE sanitized = 1")
    assert set(marked) == poison - waiting
    with contextlib.closing(sqlite3.connect(home.state + "/search.sqlite3")) as link:
        assert link.execute("SELECT count(*), count(DISTINCT id) FROM docs").fetchone() == (len(sent), len(sent))
    assert homes.verify(root).ok
    log = Path(home.logs, "service.log").read_text()
    assert "delivered made harmless" in log


def _send(home: paths.Home, sent: list[int], over: threading.Event) -> None:
    with Client(home, 30) as client:
        while not over.is_set():
            numbers = range(len(sent), len(sent) + 50)
            for number in numbers:
                text = "a\\u0000b" if number % 50 == 0 else "as usual"
                payload = (
                    f'{{"session_id":"s","cwd":"/tmp","hook_event_name":"PreToolUse","tool_name":"Bash",'
                    f'"tool_use_id":"c-{number}","tool_input":{{"command":"echo x","description":"{text}"}}}}'
                )
                client.send(event(payload.encode()))
            for _ in numbers:
                assert client.answer() == (0, b"", b"")
            sent += numbers
            time.sleep(0.04)


def _pruned(root: str) -> int:
    status = homes.control(root, "status") or {}
    return int(status.get("pruned", {}).get("removed", 0))


def _within(root: str, bound: int) -> bool:
    """Whether the journal is within its bound and nothing keeps it from staying there."""
    status = homes.control(root, "status")
    if status is None:
        return False
    assert status["journal"]["last_error"] is None
    return bool(status["journal"]["bytes"] <= bound and status["pruned"]["held_by"] == [])
