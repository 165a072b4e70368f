"""Homes of one host name and one path, as containers and cloned images have them, on the real Redis: each is a machine
of its own; one that goes by another name than before counts once; a copied home is found and said."""

from __future__ import annotations

import fcntl
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.contract.test_shared_decisions import ready

from levaithan.hot import halts, lease_book, paths, spend
from levaithan.hot.gate import machine_id
from levaithan.hot.journal import Journal
from levaithan.hot.paths import fnv1a64
from levaithan.service import sharing, whoami
from levaithan.service.sharing import _Sharer
from levaithan.stores.opening import Opening
from levaithan.stores.redis_coordination import RedisCoordination
from levaithan.stores.redis_decisions import RedisDecisions

ROOT = "/home/dev/project/.claude"
BUCKET = "project:/home/dev/project"
SECOND = 1_000_000


class Settings:
    counters_timeout_ms = 2000
    counters_lease_partition = "local"


class Service:
    """What a home's service does with the others; the home is in `folder`, and calls itself ROOT as all of them do.
    begun: something is recorded there."""

    def __init__(self, folder: Path, opening: Opening, *, begun: bool = True) -> None:
        self.home = paths.home_at(str(folder))
        Path(self.home.state).mkdir(parents=True, exist_ok=True)
        journal = Journal(self.home.journal, machine=machine_id(self.home))
        journal.append([("", b'{"v":1,"kind":"note"}')] if begun else [])
        self.home.root = ROOT
        self.said: list[tuple[str, dict[str, Any]]] = []
        own = Opening("counters", "", self.home.state, opening.url, journal=journal.journal, timeout_s=2.0)
        self.sharer = _Sharer(self.home, Settings(), own, machine_id(self.home), self._say)  # type: ignore[arg-type]
        self.sharer._others.opening = own
        journal.close()

    def _say(self, words: str, **more: Any) -> None:
        self.said.append((words, more))

    @property
    def node(self) -> str:
        return self.sharer.decisions.node

    def begin(self) -> RedisDecisions:
        self.sharer.decisions.start()
        return ready(self.sharer.decisions)

    def turn(self) -> None:
        """One second of its thread."""
        self.sharer._turned = self.sharer._summed = -1e9
        self.sharer._look()

    def spent(self, nano: int) -> None:
        with sqlite3.connect(self.home.state + spend.FILE) as link:
            link.execute("CREATE TABLE IF NOT EXISTS totals (bucket TEXT PRIMARY KEY, nano INTEGER)")
            link.execute("INSERT OR REPLACE INTO totals (bucket, nano) VALUES (?, ?)", (BUCKET, nano))
        link.close()

    def others(self) -> int:
        """What the others spent, as a hook hears it."""
        return self.sharer.decisions.reserve("h", [(BUCKET, 0)], 1, SECOND)[BUCKET][0]

    def close(self) -> None:
        self.sharer.decisions.stop()
        self.sharer._others.close()


Make = Callable[..., Service]


@contextmanager
def open_lock_held(path: str) -> Iterator[None]:
    with Path(path).open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def make(redis_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setattr(sharing, "LISTEN_S", 0.0)
    opening = Opening("counters", "", "/nowhere", f"{redis_server.url}?prefix={secrets.token_hex(6)}", timeout_s=2.0)
    made: list[Service] = []

    def one(name: str, **more: bool) -> Service:
        made.append(Service(tmp_path / name, opening, **more))
        return made[-1]

    yield one
    for service in made:
        service.close()


def test_two_homes_of_one_host_name_and_one_path_are_two_machines(make: Make) -> None:
    one, two = make("a"), make("b")
    name = machine_id(one.home)
    assert (machine_id(two.home), two.home.root) == (name, one.home.root)
    assert one.node != two.node
    assert all(service.node.startswith(f"{name}-") for service in (one, two)), "it stays readable"
    one.spent(700)
    two.spent(40)
    for service in (one, two, one):
        service.turn()
    assert (one.sharer.decisions.machines, two.sharer.decisions.machines) == (2, 2), "each takes its share"
    first, second = one.begin(), two.begin()
    assert first.reserve("h", [(BUCKET, 700)], 5, SECOND)[BUCKET] == (40, 0)
    assert second.reserve("h", [(BUCKET, 40)], 6, SECOND)[BUCKET] == (700, 5)
    assert first.pool(BUCKET, [(1, 300)], 60 * SECOND) == []
    assert second.pool(BUCKET, [(1, 20)], 60 * SECOND) == [(1, 300)]
    assert first.pool(BUCKET, [(1, 300)], 60 * SECOND) == [(1, 20)]
    assert [one.sharer._copies.problem, two.sharer._copies.problem] == [None, None]


def test_two_new_homes_are_two_machines_before_anything_is_recorded(make: Make) -> None:
    one, two = make("a", begun=False), make("b", begun=False)
    assert one.node != two.node
    one.spent(700)
    one.turn()
    assert make("a", begun=False).node == one.node, "it has a name"
    again = make("a")
    assert again.node != one.node, "its journal's from now on"
    again.turn()
    two.begin()
    assert two.others() == 700
    assert [one.sharer._copies.problem, again.sharer._copies.problem] == [None, None]


def test_a_lease_of_one_is_not_ended_by_the_other(make: Make) -> None:
    one, two = make("a"), make("b")
    book = lease_book.Book(one.home)
    holder = {"session": "s1", "agent": None, "project": "/p", "since_us": 0}
    fence = book.one_step(lambda: book.take("/p/x", holder, time.time_ns() // 1000 + 60 * SECOND))
    book.close()
    one.turn()
    second = two.begin()
    second.free({"/p/x": fence})
    two.sharer._others.free([{"path": "/p/x", "fence": fence}], unless_us=0)
    theirs = {"path": "/p/x", "session": "s2", "agent": None, "project": "/p", "fence": fence + 1, "lasts_us": SECOND}
    assert two.sharer._others.announce([theirs]) == ["/p/x"], "a newer token, but not of the machine that has it"
    held, _ = second.acquire({"session": "s2", "agent": None, "project": "/p"}, ["/p/x"], SECOND, 0)
    assert held is not None
    assert (held["session"], held["node"]) == ("s1", one.node)


def test_a_home_that_went_by_host_and_path_counts_once_under_its_new_name(make: Make) -> None:
    """A service of before: its sums, what it held and its heartbeat stand under the old name."""
    one, other = make("a"), make("b")
    one.spent(700)
    before = f"{machine_id(one.home)}-{fnv1a64(ROOT.encode())[:8]}"
    old = RedisDecisions(one.sharer._opening, before, 2.0)
    old.start()
    ready(old).reserve("call", [(BUCKET, 700)], 9, 60 * SECOND)
    old.stop()
    heart = RedisCoordination(one.sharer._opening, before)
    heart.beat()
    other.begin()
    assert other.sharer.decisions.reserve("h", [(BUCKET, 0)], 1, SECOND)[BUCKET] == (700, 9)

    one.turn()
    assert other.sharer.decisions.reserve("h", [(BUCKET, 0)], 1, SECOND)[BUCKET] == (700, 9), "neither twice nor lost"
    assert one.begin().reserve("h", [(BUCKET, 700)], 1, SECOND)[BUCKET] == (0, 1), "its own is no other's"
    assert set(other.sharer._others.beat()[1]) == {one.node, other.node}
    assert json.dumps(one.sharer._known.look()).count(one.node) == 1
    assert heart.beat()[0], "a second service of that name is new to the server, so it says all it has again"
    heart.close()
    one.turn()
    assert before in one.sharer._others.beat()[1], "and is not sent away once more"


def test_sums_that_are_damaged_hold_up_no_heartbeat_and_are_counted_anew(make: Make) -> None:
    """At the first start after an upgrade what was spent stands under the name before, and is to be moved."""
    one, other = make("a"), make("b")
    path = Path(one.home.state + spend.FILE)
    path.write_bytes(b"\x00garbage" * 1000)
    one.turn()
    assert one.node in other.sharer._others.beat()[1]
    assert Path(f"{path}.damaged").exists()
    assert [(words, more["error"].endswith("begun anew")) for words, more in one.said] == [
        ("what was spent is counted anew", True)
    ]
    one.spent(700)
    one.turn()
    other.begin()
    assert (other.others(), len(one.said)) == (700, 1)


def test_a_process_that_stopped_amid_a_change_of_the_sums_holds_up_nothing(make: Make) -> None:
    one, other = make("a"), make("b")
    one.spent(700)
    kept = spend.Spend(one.home, json.loads)
    kept.close()
    with open_lock_held(one.home.state + spend.FILE + ".lock"):
        turn = threading.Thread(target=one.turn, daemon=True)
        turn.start()
        turn.join(5)
        assert not turn.is_alive()
    other.begin()
    assert other.others() == 700


def test_sums_that_were_damaged_amid_a_change_of_the_name_count_once(make: Make) -> None:
    one, other = make("a"), make("b")
    one.spent(700)
    one.turn()
    Path(one.home.state + spend.FILE).write_bytes(b"\x00garbage" * 1000)
    Path(one.home.state, "machine-id").write_text("ada\n")
    again = make("a")
    again.turn()
    other.begin()
    again.spent(60)
    again.turn()
    assert other.others() == 60, "under one name"


def test_sums_that_cannot_be_had_hold_up_no_heartbeat_and_are_told_whole_once_they_can(make: Make) -> None:
    one, other = make("a"), make("b")
    path = Path(one.home.state + spend.FILE)
    path.mkdir()
    with pytest.raises(sqlite3.Error):
        one.turn()
    assert one.node in other.sharer._others.beat()[1]
    path.rmdir()
    one.spent(700)
    one.sharer._turned = -1e9
    one.sharer._look()
    other.begin()
    assert other.others() == 700


def test_a_machine_that_is_given_a_name_counts_once(make: Make) -> None:
    one, other = make("a"), make("b")
    one.spent(700)
    one.turn()
    before = one.node
    Path(one.home.state, "machine-id").write_text("ada\n")
    again = make("a")
    assert again.node.startswith("ada-")
    assert again.node.rpartition("-")[2] == before.rpartition("-")[2]
    again.turn()
    other.begin()
    assert other.others() == 700
    assert before not in other.sharer._others.beat()[1]


def test_a_copied_home_is_said_by_both_and_until_it_is_gone(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = make("a"), make("a")
    assert one.node == two.node
    for service in (one, two):
        service.turn()
    assert two.sharer.status()["copy"] is None, "the word before its own first is that of the service before it"
    for service in (one, two, one, two):
        service.turn()
    for service in (one, two):
        problem = service.sharer.status()["copy"]
        assert problem is not None
        assert f"{ROOT} on the machine {machine_id(one.home)}" in problem["message"]
        assert "levaithan stop" in problem["fix"]
        assert [words for words, _ in service.said].count("machines have one home twice") == 1
    one.turn()
    one.turn()
    assert one.sharer.status()["copy"] is not None, "it may be slow"
    monkeypatch.setattr(whoami, "_QUIET_S", 0.0)
    one.turn()
    assert one.sharer.status()["copy"] is None
    assert one.said[-1][0] == "machines have no home twice any more"


def test_a_service_that_begins_again_is_no_copy(make: Make) -> None:
    one = make("a")
    for _ in range(3):
        one.turn()
    again = make("a")
    again.turn()
    one.turn()  # the last word of the one before, come late
    for _ in range(3):
        again.turn()
    assert again.sharer.status()["copy"] is None


def test_a_halt_is_heard_between_the_looks_of_each_second(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listening is what makes it quick; the look each second would bring it too, and is put off here."""
    one, two = make("a"), make("b")
    two.turn()
    assert two.sharer._others.listen(10.0), "the server's word that it is listened to: nothing else is to be heard then"
    assert not two.sharer._halts.changed()
    halt = {"id": "h-1", "scope": "all", "target": "", "reason": "stop", "by": "ada", "set_at": "x"}
    one.sharer._others.set_halts({"h-1": json.dumps(halt)})
    monkeypatch.setattr(sharing, "LISTEN_S", 10.0)
    monkeypatch.setattr(sharing, "TURN_S", float("inf"))
    assert not two.sharer._look(), "no look was due"
    assert [found.id for found in halts.active(two.home)] == ["h-1"]
