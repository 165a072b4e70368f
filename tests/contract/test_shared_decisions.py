"""What machines decide together, on the real server: windows, budgets, leases, halts, heartbeats; and a server that is
down, paused, emptied or will not let us in costs a hook one time limit at most."""

from __future__ import annotations

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from levaithan.errors import StoreError
from levaithan.hot.shared import SharedError
from levaithan.stores.opening import Opening
from levaithan.stores.redis_coordination import RedisCoordination
from levaithan.stores.redis_decisions import RedisDecisions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    OwnServer = Callable[..., Any]

MINUTE_US = 60_000_000
LIMIT_S = 2.0
"""What these tests give a busy machine; the setting's default is 50 ms."""


def ready(decisions: RedisDecisions, limit_s: float = 20.0) -> RedisDecisions:
    """Once its prober has a connection."""
    limit = time.monotonic() + limit_s
    while decisions.prober.client is None:
        assert time.monotonic() < limit, decisions.prober.why
        time.sleep(0.01)
    return decisions


class Machines:
    """Any number of machines on one server."""

    def __init__(self, url: str) -> None:
        self.opening = Opening("counters", "", "/nowhere", url, timeout_s=2.0)
        self.made: list[Any] = []

    def deciding(self, node: str, timeout_s: float = LIMIT_S) -> RedisDecisions:
        made = RedisDecisions(self.opening, node, timeout_s)
        made.start()
        self.made.append(made.stop)
        return ready(made)

    def coordinating(self, node: str) -> RedisCoordination:
        made = RedisCoordination(self.opening, node)
        self.made.append(made.close)
        return made

    def close(self) -> None:
        for end in self.made:
            end()


@pytest.fixture
def machines(redis_server: Any) -> Iterator[Machines]:
    made = Machines(f"{redis_server.url}?prefix={secrets.token_hex(6)}")
    yield made
    made.close()


@pytest.fixture
def hurt(own_server: OwnServer) -> Iterator[tuple[Any, Machines]]:
    server = own_server("redis")
    made = Machines(server.url())
    yield server, made
    made.close()


# -- windows --


def test_a_window_counts_over_machines_and_an_event_once(machines: Machines) -> None:
    one, two = machines.deciding("a"), machines.deciding("b")
    for n in range(5):
        for _ in range(2):
            assert (two if n % 2 else one).admit(f"e{n}", [("project", 5)], MINUTE_US) is None
    full = two.admit("late", [("other", 9), ("project", 5)], MINUTE_US)
    assert full is not None
    name, seen, wait_s = full
    assert (name, seen) == ("project", 5)
    assert 50 <= wait_s <= 60
    assert one.admit("late", [("other", 1)], MINUTE_US) is None, "the refused one was counted in neither"
    one.take_back("e1", ["project"])
    assert two.admit("again", [("project", 5)], MINUTE_US) is None


def test_a_window_slides(machines: Machines) -> None:
    one = machines.deciding("a")
    assert one.admit("e1", [("w", 1)], 200_000) is None
    assert one.admit("e2", [("w", 1)], 200_000) is not None
    time.sleep(0.25)
    assert one.admit("e3", [("w", 1)], 200_000) is None


def test_many_at_once_pass_no_more_than_the_limit(machines: Machines) -> None:
    several = [machines.deciding(f"m{n}") for n in range(4)]

    def ask(which: int) -> int:
        return sum(several[which].admit(f"{which}-{n}", [("w", 50)], MINUTE_US) is None for n in range(40))

    with ThreadPoolExecutor() as pool:
        assert sum(pool.map(ask, range(4))) == 50


def test_a_window_that_is_looked_at_holds_and_does_not_count(machines: Machines) -> None:
    one, two = machines.deciding("a"), machines.deciding("b")
    for n in range(2):
        assert one.admit(f"r{n}", [("refused", 1 << 50)], MINUTE_US) is None
        assert two.admit(f"e{n}", [("project", 9)], MINUTE_US, [("refused", 3)]) is None
    assert one.admit("r2", [("refused", 1 << 50)], MINUTE_US) is None
    full = two.admit("e2", [("project", 9)], MINUTE_US, [("refused", 3)])
    assert full is not None
    assert full[:2] == ("refused", 3)
    assert two.admit("e3", [("project", 3)], MINUTE_US) is None, "two were counted, and not the refused one"
    assert two.admit("e4", [("project", 3)], MINUTE_US) is not None


def test_what_machines_use_is_pooled_by_age_and_said_again_in_place_of_before(machines: Machines) -> None:
    one, two, third = machines.deciding("a"), machines.deciding("b"), machines.deciding("c")
    assert one.pool("tokens", [(3, 100), (50, 7)], MINUTE_US) == []
    assert one.pool("tokens", [(3, 100), (50, 7)], MINUTE_US) == []
    assert sorted(two.pool("tokens", [(0, 5)], MINUTE_US)) == [(3, 100), (50, 7)]
    assert sorted(third.pool("tokens", [], MINUTE_US)) == [(0, 5), (3, 100), (50, 7)]
    assert one.pool("tokens", [], MINUTE_US) == [(0, 5)]
    assert third.pool("tokens", [], MINUTE_US) == [(0, 5)]
    assert third.pool("tokens", [], 1) == [], "what is older does not count"


# -- budgets --


def test_what_others_spent_and_reserved_is_known_and_said_once(machines: Machines) -> None:
    one, two = machines.deciding("a"), machines.deciding("b")
    week = 900_000_000
    assert one.reserve("s1/main", [("day:1", 100), ("project:/p", 40)], 7, week) == {
        "day:1": (0, 0), "project:/p": (0, 0),
    }  # fmt: skip
    for _ in range(2):
        assert one.reserve("s1/main", [("day:1", 100)], 8, week) == {"day:1": (0, 0)}, "a machine knows its own"
    assert two.reserve("s9/main", [("day:1", 5), ("project:/p", 0)], 1, week) == {
        "day:1": (100, 8), "project:/p": (40, 0),
    }  # fmt: skip
    one.settle({"day:1": 130})
    one.release("s1/main")
    one.release("s1/main")
    assert two.reserve("s9/main", [("day:1", 5)], 1, week) == {"day:1": (130, 0)}
    assert one.reserve("s2/main", [("day:1", 130)], 3, week) == {"day:1": (5, 1)}


def test_a_reservation_ends_by_itself(machines: Machines) -> None:
    one, two = machines.deciding("a"), machines.deciding("b")
    one.reserve("s1/main", [("day:1", 0)], 7, 150_000)
    assert two.reserve("s2/main", [("day:1", 0)], 1, 150_000)["day:1"] == (0, 7)
    time.sleep(0.2)
    assert two.reserve("s2/main", [("day:1", 0)], 1, 150_000)["day:1"] == (0, 0)


def test_sums_of_any_size_and_name(machines: Machines) -> None:
    one, two = machines.deciding("a"), machines.deciding("b")
    name, dear = "project:/" + "ü" * 5000, 9_000_000 * 10**9
    one.settle({name: dear})
    assert two.reserve("s", [(name, 0)], 1, 1_000_000) == {name: (dear, 0)}


# -- leases --

SECOND = 1_000_000
LEASE = {"session": "s1", "agent": None, "project": "/p"}


def test_a_lease_has_one_holder_and_tokens_grow(machines: Machines) -> None:
    one, two = machines.deciding("a"), machines.deciding("b")
    held, fences = one.acquire(LEASE, ["/p/x", "/p/y"], 60 * SECOND, 0)
    assert held is None
    assert set(fences) == {"/p/x", "/p/y"}
    assert one.acquire(LEASE, ["/p/x"], 60 * SECOND, 0) == (None, {"/p/x": fences["/p/x"]}), "renewed, the same token"
    other = LEASE | {"session": "s2"}
    held, none = two.acquire(other, ["/p/z", "/p/y"], 60 * SECOND, 0)
    assert held is not None
    assert (held["path"], held["session"], held["node"], held["fence"]) == ("/p/y", "s1", "a", fences["/p/y"])
    assert none == {}
    assert sorted(one["path"] for one in machines.coordinating("c").leases()[0]) == ["/p/x", "/p/y"]
    two.free({"/p/y": fences["/p/y"]})
    assert two.acquire(other, ["/p/y"], 60 * SECOND, 0)[0] is not None, "only its own machine ends it"
    one.free({"/p/y": fences["/p/y"] - 1})
    assert two.acquire(other, ["/p/y"], 60 * SECOND, 0)[0] is not None, "only with its token"
    one.free(fences)
    _, later = two.acquire(other, ["/p/y"], 60 * SECOND, 0)
    assert later["/p/y"] > fences["/p/y"]
    _, least = two.acquire(other, ["/p/w"], 60 * SECOND, later["/p/y"] + 1000)
    assert least["/p/w"] >= later["/p/y"] + 1000


def test_all_or_none_is_taken(machines: Machines) -> None:
    one, two = machines.deciding("a"), machines.deciding("b")
    one.acquire(LEASE, ["/p/y"], 60 * SECOND, 0)
    two.acquire(LEASE | {"session": "s2"}, ["/p/x", "/p/y"], 60 * SECOND, 0)
    assert one.acquire(LEASE | {"session": "s3"}, ["/p/x"], 60 * SECOND, 0)[0] is None


def test_a_lease_ends_by_itself(machines: Machines) -> None:
    one, two = machines.deciding("a"), machines.deciding("b")
    one.acquire(LEASE, ["/p/x"], 150_000, 0)
    time.sleep(0.2)
    assert two.acquire(LEASE | {"session": "s2"}, ["/p/x"], SECOND, 0)[0] is None


def test_a_race_for_one_file_has_one_winner_each_round(machines: Machines) -> None:
    several = [machines.deciding(f"m{n}") for n in range(4)]
    last = 0
    for turn in range(20):
        path = f"/p/{turn}"

        def ask(which: int, path: str = path) -> int:
            held, fences = several[which].acquire(LEASE | {"session": f"s{which}"}, [path], 60 * SECOND, 0)
            return 0 if held else fences[path]

        with ThreadPoolExecutor() as pool:
            won = [fence for fence in pool.map(ask, range(4)) if fence]
        assert len(won) == 1
        assert won[0] > last
        last = won[0]


def test_a_service_says_its_leases_again_and_learns_what_it_lost(machines: Machines) -> None:
    one, here, there = machines.deciding("a"), machines.coordinating("a"), machines.coordinating("b")
    _, fences = one.acquire(LEASE, ["/p/x"], 60 * SECOND, 0)
    mine = {**LEASE, "path": "/p/x", "fence": fences["/p/x"], "lasts_us": 60 * SECOND}
    theirs = {**LEASE, "session": "s2", "path": "/p/x", "fence": 3, "lasts_us": 60 * SECOND}
    more = {**LEASE, "session": "s2", "path": "/p/new", "fence": 4, "lasts_us": 60 * SECOND}
    assert here.announce([mine]) == []
    assert there.announce([theirs, more]) == ["/p/x"]
    found, now = here.leases()
    assert {(one["path"], one["node"], one["session"]) for one in found} == {("/p/x", "a", "s1"), ("/p/new", "b", "s2")}
    assert all(one["until_us"] > now for one in found)
    there.script(
        "for _, k in ipairs(KEYS) do redis.call('DEL', k) end", [there.prefix + "leases", there.prefix + "fence"]
    )
    assert there.leases()[0] == []
    here.announce([mine])
    _, fresh = one.acquire(LEASE | {"session": "s5"}, ["/p/other"], SECOND, 0)
    assert fresh["/p/other"] > fences["/p/x"], "a server that lost everything gives no token twice"
    assert here.free([mine], unless_us=60 * SECOND) == 0, "just renewed"
    assert here.free([mine], unless_us=0) == 1


def test_a_lease_that_a_machine_hands_from_one_of_its_sessions_to_another_is_not_lost(machines: Machines) -> None:
    one, here, there = machines.deciding("a"), machines.coordinating("a"), machines.coordinating("b")
    _, fences = one.acquire(LEASE, ["/p/x"], 60 * SECOND, 0)
    fence = fences["/p/x"]
    handed = {**LEASE, "session": "waited", "path": "/p/x", "fence": fence + 1, "lasts_us": 60 * SECOND}
    older = {**LEASE, "session": "older", "path": "/p/x", "fence": fence, "lasts_us": 60 * SECOND}
    assert here.announce([older]) == ["/p/x"], "only a newer token"
    assert there.announce([handed]) == ["/p/x"], "only the machine that has it"
    assert here.announce([handed]) == []
    ((found,), _) = there.leases()
    assert (found["session"], found["node"], int(found["fence"])) == ("waited", "a", fence + 1)
    assert here.announce([{**LEASE, "path": "/p/x", "fence": fence, "lasts_us": 60 * SECOND}]) == ["/p/x"]
    _, fresh = one.acquire(LEASE | {"session": "s5"}, ["/p/other"], SECOND, 0)
    assert fresh["/p/other"] > fence + 1


def test_a_server_restored_from_an_older_copy_gives_no_token_twice(machines: Machines) -> None:
    one, two = machines.deciding("a"), machines.deciding("b")
    link = machines.coordinating("c")
    _, first = one.acquire(LEASE, ["/p/first"], 60 * SECOND, 0)
    time.sleep(0.01)
    copy = link.ask(lambda client: client.get(f"{link.prefix}fence"))
    _, fences = one.acquire(LEASE, [f"/p/{n}" for n in range(5)], 60 * SECOND, 0)
    for n in range(5):
        _, more = one.acquire(LEASE | {"session": f"s{n}"}, [f"/q/{n}"], 60 * SECOND, 0)
        fences |= more
    one.free(fences)
    link.ask(lambda client: client.set(f"{link.prefix}fence", copy))
    time.sleep(0.01)
    _, later = two.acquire(LEASE | {"session": "other"}, ["/p/0"], 60 * SECOND, 0)
    assert later["/p/0"] > max(fences.values()) > first["/p/first"]


# -- halts and heartbeats --


def test_halts_are_heard_set_and_released_once(machines: Machines) -> None:
    here, there = machines.coordinating("a"), machines.coordinating("b")
    assert there.listen(0.0)
    while there.listen(0.2):
        pass
    assert here.set_halts({"h-1": json.dumps({"id": "h-1"})}) == 1
    assert here.set_halts({"h-1": json.dumps({"id": "h-1"})}) == 0
    assert there.listen(5.0)
    version, halts, released = there.halts()
    assert (halts, released) == ({"h-1": '{"id": "h-1"}'}, set())
    assert there.release_halts(["h-1"]) == 1
    assert here.set_halts({"h-1": "{}"}) == 0, "what was released is not set again by whoever still has it"
    later, halts, released = here.halts()
    assert later > version
    assert (halts, released) == ({}, {"h-1"})


def test_who_lives(machines: Machines) -> None:
    here, there = machines.coordinating("a"), machines.coordinating("b")
    new, alive = here.beat()
    assert (new, set(alive)) == (True, {"a"})
    assert here.beat()[0] is False
    assert set(there.beat()[1]) == {"a", "b"}
    time.sleep(0.2)
    assert set(here.beat(alive_s=0.1)[1]) == {"a"}


# -- a server that is hurt --


def cost(decisions: RedisDecisions, calls: int = 200) -> float:
    """Seconds that `calls` questions without an answer take."""
    began = time.monotonic()
    for n in range(calls):
        with pytest.raises(SharedError):
            decisions.admit(f"x{n}", [("w", 10)], MINUTE_US)
    return time.monotonic() - began


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_a_dead_or_paused_server_costs_the_first_call_only_and_comes_back(hurt: tuple[Any, Machines], how: str) -> None:
    server, machines = hurt
    decisions = machines.deciding("a", timeout_s=0.3)
    assert decisions.admit("e1", [("w", 10)], MINUTE_US) is None
    getattr(server, how)()
    assert cost(decisions) < 0.3 + 0.6
    assert decisions.prober.trips == 1
    time.sleep(0.7)
    assert cost(decisions) < 1.0, "the prober tries, not the hook"
    if how == "kill":
        server.restart()
    else:
        server.resume()
    ready(decisions)
    assert decisions.admit("e2", [("w", 10)], MINUTE_US) is None


def test_a_server_that_forgot_its_scripts_gets_them_again(hurt: tuple[Any, Machines]) -> None:
    _, machines = hurt
    decisions = machines.deciding("a")
    machines.coordinating("b").ask(lambda link: link.script_flush())
    with pytest.raises(SharedError, match="NoScript"):
        decisions.admit("e1", [("w", 10)], MINUTE_US)
    ready(decisions)
    assert decisions.admit("e1", [("w", 10)], MINUTE_US) is None


def test_a_changed_password_is_no_answer_and_no_secret_is_said(hurt: tuple[Any, Machines]) -> None:
    server, machines = hurt
    decisions, other = machines.deciding("a"), machines.coordinating("b")
    other.ask(lambda link: link.execute_command("ACL", "SETUSER", "levaithan", "resetpass", ">another-one"))
    other.close()
    decisions.prober.drop(decisions.prober.client, "dropped by the test")
    time.sleep(0.3)
    with pytest.raises(SharedError) as caught:
        decisions.admit("e1", [("w", 10)], MINUTE_US)
    assert server.password not in str(caught.value)
    with pytest.raises(StoreError) as refused:
        other.beat()
    assert server.password not in f"{refused.value}"


def test_whoever_is_interrupted_while_it_waits_never_reads_the_answer_to_another_question(
    hurt: tuple[Any, Machines],
) -> None:
    import signal

    server, machines = hurt
    decisions = machines.deciding("a", timeout_s=5.0)

    class OverrunError(BaseException):
        pass

    def over(*_: object) -> None:
        raise OverrunError

    before = signal.signal(signal.SIGALRM, over)
    server.pause()
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(OverrunError):
            decisions.reserve("s1", [("day", 5)], 1, SECOND)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        server.resume()
    ready(decisions)
    assert decisions.admit("e1", [("w", 10)], MINUTE_US) is None


@pytest.mark.parametrize(
    "text", ["a\0b", "\ud800", "\udcff/x", "ünï\U0001f600", "*2\r\n$4\r\nPING\r\n", "]] .. x", "x" * 9000]
)
def test_hostile_names_are_names(machines: Machines, text: str) -> None:
    one, two = machines.deciding("a"), machines.deciding("b")
    assert one.admit("e1", [(text, 1)], MINUTE_US) is None
    full = two.admit("e2", [(text, 1)], MINUTE_US)
    assert full is not None
    assert full[0] == text
    one.take_back("e1", [text])
    assert one.reserve(text, [(text, 3)], 5, MINUTE_US) == {text: (0, 0)}
    assert two.reserve(text, [(text, 0)], 1, MINUTE_US) == {text: (3, 5)}
    one.release(text)
    assert two.reserve(text, [(text, 0)], 1, MINUTE_US) == {text: (3, 0)}
    lease = {"session": text, "agent": text, "project": text}
    held, fences = one.acquire(lease, [text], MINUTE_US, 0)
    assert (held, set(fences)) == (None, {text})
    held, _ = two.acquire(LEASE, [text], MINUTE_US, 0)
    assert held is not None
    assert held["path"] == text
    told = {**lease, "path": text, "fence": fences[text], "lasts_us": MINUTE_US}
    assert machines.coordinating("a").announce([told]) == []
    one.free(fences)
    assert two.acquire(LEASE, [text], MINUTE_US, 0)[0] is None
    assert one.prober.trips == two.prober.trips == 0


def test_an_answer_of_no_sense_is_none_and_harms_nobody(machines: Machines) -> None:
    one, other = machines.deciding("a"), machines.coordinating("b")
    for forged in ("no json", "{}", '{"session": "x", "until_us": "soon"}', "[]"):
        other.ask(lambda link, forged=forged: link.hset(other.prefix + "leases", "/p/x", forged))  # type: ignore[misc]
        with pytest.raises(SharedError):
            one.acquire(LEASE, ["/p/x"], MINUTE_US, 0)
    other.ask(lambda link: link.set(other.prefix + "pace:w", "a text"))
    with pytest.raises(SharedError, match="WRONGTYPE"):
        one.admit("e1", [("w", 1)], MINUTE_US)
    assert one.prober.trips == 0, "it answers, and refuses just this"
    assert one.admit("e1", [("v", 1)], MINUTE_US) is None
