"""The emergency stop of all machines on a real Redis: the two files and what goes between them, then two services."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import homes

from levaithan.hot import halt_merge, halts, paths
from levaithan.service.shared_halts import SharedHalts
from levaithan.stores.opening import Opening
from levaithan.stores.redis_coordination import RedisCoordination

if TYPE_CHECKING:
    OwnServer = Callable[..., Any]


class Side:
    """A home and what keeps its halts the same as the others'."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        self.home = paths.home_at(str(folder / name))
        Path(self.home.state).mkdir(parents=True)
        self.said: list[str] = []
        self.others = RedisCoordination(Opening("counters", "", "/nowhere", url, timeout_s=2.0), name)
        self.halts = SharedHalts(self.home, self.others, lambda words, **_: self.said.append(words))

    def set(self, reason: str = "stop", **more: Any) -> str:
        return halts.set_halt(self.home, "all", "", reason, "ada", **more).id

    def release(self, name: str) -> None:
        halt_merge.note_released(self.home, [one.id for one in halts.release_halt(self.home, name)])

    def active(self) -> set[str]:
        return {one.id for one in halts.active(self.home)}


@pytest.fixture
def sides(redis_server: Any, tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    url = f"{redis_server.url}?prefix={secrets.token_hex(6)}"
    made = Side(tmp_path, "a", url), Side(tmp_path, "b", url)
    yield made
    for one in made:
        one.others.close()


def together(*sides: Side) -> None:
    for _ in range(2):
        for one in sides:
            one.halts.sync()


def test_a_halt_and_its_release_reach_the_other_home(sides: tuple[Side, Side]) -> None:
    here, there = sides
    together(here, there)
    name = here.set("the build eats the disk")
    assert here.halts.changed()
    together(here, there)
    (halt,) = halts.active(there.home)
    assert (halt.id, halt.reason, halt.by) == (name, "the build eats the disk", "ada")
    assert there.said == ["halted by another machine"]
    assert not here.halts.changed()
    there.release(name)
    together(there, here)
    assert here.active() == there.active() == set()
    assert "released by another machine" in here.said
    together(here, there)
    assert here.active() == there.active() == set()


def test_a_halt_holds_and_is_told_again_when_the_server_has_lost_everything(sides: tuple[Side, Side]) -> None:
    here, there = sides
    name, over = here.set(), here.set()
    together(here, there)
    there.release(over)
    together(there, here)
    here.others.ask(lambda link: link.delete(*link.scan_iter(match=here.others.prefix.replace("{", "?") + "*")))
    together(there, here)
    assert here.active() == there.active() == {name}
    assert set(here.others.halts()[1]) == {name}


@pytest.mark.parametrize("how", ["lost", "empty"])
def test_a_home_that_lost_its_file_gets_its_halts_back_and_releases_none(sides: tuple[Side, Side], how: str) -> None:
    here, there = sides
    name = here.set()
    together(here, there)
    Path(here.home.halts).unlink()
    if how == "empty":
        Path(here.home.halts).write_text('{"version": 1, "halts": []}')
    halts._cache.clear()
    halts._absent.clear()
    together(here, there)
    assert here.active() == there.active() == {name}


def test_a_damaged_file_releases_nothing(sides: tuple[Side, Side]) -> None:
    here, there = sides
    name = here.set()
    together(here, there)
    Path(here.home.halts).write_text("{")
    with pytest.raises(halts.HaltError):
        here.halts.sync()
    there.halts.sync()
    assert there.active() == {name}


def test_one_that_was_away_does_not_bring_back_what_was_released(sides: tuple[Side, Side]) -> None:
    here, there = sides
    name = here.set()
    together(here, there)
    here.release(name)
    here.halts.sync()
    assert there.active() == {name}, "away: it holds"
    there.halts.sync()
    assert there.active() == set()
    together(here, there)
    assert here.active() == set()


def test_a_halt_that_ends_by_its_time_is_no_release(sides: tuple[Side, Side]) -> None:
    here, there = sides
    name = here.set(lasts_s=3.0)  # so long that a busy machine has seen it before it is over
    together(here, there)
    assert there.active() == {name}
    time.sleep(4.0)
    together(here, there)
    assert there.active() == set()
    assert here.others.halts()[2] == set()


def test_what_is_no_halt_is_said_once_and_stops_nobody(sides: tuple[Side, Side]) -> None:
    here, there = sides
    good = json.loads(json.dumps({"id": "h-1", "scope": "all", "target": "", "reason": "r", "by": "b", "set_at": "x"}))
    hostile = {
        "h-2": "[" * 100_000,
        "h-3": "{}",
        "h-4": json.dumps({**good, "id": "h-9"}),
        "h-5": json.dumps({**good, "id": "h-5", "reason": "r" * 100_000}),
        "h-6": json.dumps({**good, "id": "h-6", "scope": "everything"}),
        "h-1": json.dumps(good),
    }
    here.others.set_halts(hostile)
    for _ in range(3):
        there.halts.sync()
    assert there.active() == {"h-1"}
    assert there.said.count("a halt of another machine cannot be read") == 5


# -- two services --


@pytest.fixture
def services(own_server: OwnServer, tmp_path: Path) -> Iterator[tuple[Any, list[str]]]:
    server = own_server("redis")
    roots = [
        homes.make_home(
            tmp_path / name, native=False, counters_url=server.url(), counters_timeout_ms=1000, canary_interval_s=0
        )
        for name in ("a", "b")
    ]
    running = [homes.start_service(root) for root in roots]
    yield server, roots
    for one in running:
        if one.poll() is None:
            homes.stop_service(one)


def until(what: Callable[[], Any], limit_s: float = 30.0) -> float:
    """How long it took, in seconds."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < limit_s
        time.sleep(0.002)
    return time.monotonic() - began


def sharing(root: str) -> dict[str, Any]:
    told = homes.control(root, "status") or {}
    found: dict[str, Any] = told.get("sharing") or {}
    return found


def test_two_services_halt_each_other_and_hold_while_the_server_is_down(services: tuple[Any, list[str]]) -> None:
    server, roots = services
    here, there = (paths.home_at(root) for root in roots)
    until(lambda: all(sharing(root).get("machines") == 2 and sharing(root)["answering"] for root in roots))

    (row,) = [one for one in homes.rows(roots[0], "status") if one["item"] == "sharing"]
    assert (row["status"], row["value"]) == ("ok", "decides together with 2 machines, itself included")

    name = halts.set_halt(here, "session", "s-9", "stop", "ada").id
    until(lambda: [one.id for one in halts.active(there)] == [name])
    homes.cli(roots[1], "halt", "release", name, "--yes")
    until(lambda: not halts.active(here))

    server.kill()
    until(lambda: not any(sharing(root)["answering"] for root in roots))
    down = halts.set_halt(here, "all", "", "stop all", "ada").id
    time.sleep(0.5)
    assert [one.id for one in halts.active(here)] == [down], "it holds here"
    assert halts.active(there) == []
    told = json.loads(homes.cli(roots[0], "status", "--json", check=False).stdout)["rows"]
    (row,) = [one for one in told if one["item"] == "sharing"]
    assert (row["status"], row["remedy"]) == ("warn", "levaithan store check counters")
    server.restart()
    until(lambda: [one.id for one in halts.active(there)] == [down])
    until(lambda: all(sharing(root)["answering"] for root in roots))
    log = Path(there.logs, "service.log")
    until(lambda: "machines share again" in log.read_text())
    assert "halted by another machine" in log.read_text()
    assert server.password not in log.read_text()


def test_a_service_whose_halts_cannot_be_read_still_shares_all_else(services: tuple[Any, list[str]]) -> None:
    _, roots = services
    here, there = (paths.home_at(root) for root in roots)
    Path(there.halts).write_text("{")
    name = halts.set_halt(here, "session", "s-9", "stop", "ada").id
    log = Path(there.logs, "service.log")
    until(lambda: "halts of other machines are not taken" in log.read_text())
    time.sleep(1.5)
    assert sharing(roots[1])["answering"]
    assert sharing(roots[1])["error"] == ""
    Path(there.halts).unlink()
    until(lambda: [one.id for one in halts.active(there)] == [name])
    assert log.read_text().count("halts of other machines are not taken") == 1


def test_halts_are_looked_for_where_their_channel_is_refused(services: tuple[Any, list[str]]) -> None:
    """Pub/sub makes it quick, the look each second makes it sure: without the channel a halt arrives all the same."""
    server, roots = services
    here, there = (paths.home_at(root) for root in roots)
    until(lambda: all(sharing(root).get("machines") == 2 and sharing(root)["answering"] for root in roots))
    reader = RedisCoordination(Opening("counters", "", "/nowhere", server.url(), timeout_s=2.0), "looking")
    reader.ask(lambda link: link.execute_command("ACL", "SETUSER", "levaithan", "resetchannels"))
    until(lambda: all("no permissions to access" in sharing(root)["error"].lower() for root in roots))
    name = halts.set_halt(here, "session", "s-9", "stop", "ada").id
    until(lambda: [one.id for one in halts.active(there)] == [name], 10.0)
    time.sleep(1.5)
    assert set(reader.beat()[1]) > {"looking"}, "and both are heard of"
    assert all(sharing(root)["machines"] >= 2 for root in roots)
    reader.close()


def test_what_happens_on_both_is_in_one_live_stream(services: tuple[Any, list[str]]) -> None:
    from levaithan.stores.redis_counters import RedisCounters

    server, roots = services
    for number, root in enumerate(roots):
        event = {"session_id": f"s-{number}", "hook_event_name": "Stop", "cwd": "/tmp"}
        subprocess.run(homes.python_client(root, "Stop"), input=json.dumps(event).encode(), check=True, timeout=60)
    reader = RedisCounters(Opening("counters", "", "/nowhere", server.url(), timeout_s=5.0))
    found: set[str] = set()

    def read() -> bool:
        found.update(one.session for one in reader.read("dashboard", "one", block_ms=100) if one.event == "Stop")
        return found >= {"s-0", "s-1"}

    until(read, 60.0)
    assert len(reader.journals()) == 2
    reader.close()
    assert homes.rows(roots[0], "store", "compare", "counters")[0]["equal"] is True
